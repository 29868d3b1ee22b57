import { applyEvent } from '../app/apply-event.ts';
import type { Job } from '../domain/job.ts';
import type { JobUpdate } from '../domain/job-update.ts';
import type { LifecycleContext } from '../domain/lifecycle-events.ts';
import type { ReadEvent } from '../messaging/event-reader.ts';

/** What becomes of an event that was read. */
export type Verdict =
  | { readonly action: 'apply'; readonly update: JobUpdate }
  | { readonly action: 'passOver'; readonly reason: string }
  /** It should count and can't be applied. */
  | { readonly action: 'quarantine'; readonly problem: string };

/** @param job As it is before the event; undefined when it is deleted. */
export function judgeEvent(
  read: Pick<ReadEvent, 'event' | 'malformed'>,
  job: Job | undefined,
  context: LifecycleContext,
): Verdict {
  if (read.event === null) return { action: 'quarantine', problem: read.malformed?.message ?? 'malformed' };
  if (job === undefined) return { action: 'passOver', reason: 'JOB_DELETED' };
  const applied = applyEvent(job, read.event, context);
  if (applied.ok) return { action: 'apply', update: applied.update };
  if (applied.refusal !== 'GAP') return { action: 'passOver', reason: applied.refusal };
  const { type, attempt, runId, ordinal } = read.event;
  const problem =
    `${type} event ${attempt}.${ordinal} of ${runId} does not follow on ` +
    `${job.attempt}.${job.lastOrdinal} (${job.status})`;
  return { action: 'quarantine', problem };
}
