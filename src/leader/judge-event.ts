import { applyEvent, breakOff } from '../app/apply-event.ts';
import { type BrokenChainCode, brokenChainFailure } from '../domain/failures.ts';
import type { Job } from '../domain/job.ts';
import type { JobUpdate } from '../domain/job-update.ts';
import type { LifecycleContext } from '../domain/lifecycle-events.ts';
import type { DecodedEvent } from '../messaging/chain.ts';
import type { ReadEvent } from '../messaging/event-reader.ts';

/** What becomes of an event that was read. */
export type Verdict =
  | { readonly action: 'apply'; readonly update: JobUpdate }
  /** It should count and can't be applied: the update ends the job. */
  | { readonly action: 'break'; readonly update: JobUpdate; readonly problem: string }
  | { readonly action: 'passOver'; readonly reason: string };

type JudgedEvent = DecodedEvent & Pick<ReadEvent, 'at'>;

/** @param job As it is before the event; undefined when it is deleted. */
export function judgeEvent(read: JudgedEvent, job: Job | undefined, context: LifecycleContext): Verdict {
  if (job === undefined) return { action: 'passOver', reason: 'JOB_DELETED' };
  const { event, at } = read;
  if (event === null) return breakJob(job, 'EVENT_UNREADABLE', read.malformed.message, at, context);
  const applied = applyEvent(job, event, at, context);
  if (applied.ok) return { action: 'apply', update: applied.update };
  if (applied.refusal !== 'GAP') return { action: 'passOver', reason: applied.refusal };
  const { type, attempt, runId, ordinal } = event;
  const problem =
    `${type} event ${attempt}.${ordinal} of ${runId} does not follow on ` +
    `${job.attempt}.${job.lastOrdinal} (${job.status})`;
  return breakJob(job, 'EVENTS_MISSING', problem, at, context);
}

/** @param at When the stream stored the event that broke the chain. */
export function breakJob(
  job: Job,
  code: BrokenChainCode,
  problem: string,
  at: Date,
  context: LifecycleContext,
): Verdict {
  const broken = breakOff(job, brokenChainFailure(code, problem), at, context);
  if (!broken.ok) return { action: 'passOver', reason: broken.refusal };
  return { action: 'break', update: broken.update, problem };
}
