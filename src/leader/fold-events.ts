import type { Job } from '../domain/job.ts';
import type { JobUpdate } from '../domain/job-update.ts';
import type { LifecycleContext } from '../domain/lifecycle-events.ts';
import type { ReadEvent } from '../messaging/event-reader.ts';
import { judgeEvent } from './judge-event.ts';

/** An event that ended its job because it can't be read or applied. */
export interface BrokenEvent {
  readonly event: ReadEvent;
  readonly problem: string;
}

export interface FoldedEvents {
  /** In the order of the events; several of one job build on each other. */
  readonly updates: readonly JobUpdate[];
  readonly broken: readonly BrokenEvent[];
  readonly passedOver: readonly { readonly event: ReadEvent; readonly reason: string }[];
}

/**
 * What a batch of events does to jobs.
 *
 * @param stored The jobs before the batch, by id; deleted ones are missing.
 */
export function foldEvents(
  events: readonly ReadEvent[],
  stored: ReadonlyMap<string, Job>,
  context: LifecycleContext,
): FoldedEvents {
  const jobs = new Map(stored);
  const updates: JobUpdate[] = [];
  const broken: BrokenEvent[] = [];
  const passedOver: { event: ReadEvent; reason: string }[] = [];
  for (const event of events) {
    const verdict = judgeEvent(event, jobs.get(event.jobId), context);
    if (verdict.action === 'passOver') {
      passedOver.push({ event, reason: verdict.reason });
      continue;
    }
    updates.push(verdict.update);
    jobs.set(event.jobId, verdict.update.job);
    if (verdict.action === 'break') broken.push({ event, problem: verdict.problem });
  }
  return { updates, broken, passedOver };
}
