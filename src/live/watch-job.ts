import type { z } from 'zod';
import type { JobView } from '../domain/job-view.ts';
import type { Principal } from '../domain/principal.ts';
import type { Segment } from '../domain/transcript.ts';
import { defaulted, integer, validate } from '../domain/validate.ts';
import { isFinal } from '../domain/vocabulary.ts';
import type { JobChannel } from './job-channel.ts';
import { FOREIGN_CURSOR, isOwnCursor, SegmentReader, type WatchDeps, WatchInput } from './segment-reader.ts';
import { encodeCursor } from './watch-cursor.ts';

export const DEFAULT_MIN_INTERVAL_MS = 250;

export const WatchJobInput = WatchInput.extend({
  minIntervalMs: defaulted(integer(100, 10_000), DEFAULT_MIN_INTERVAL_MS),
}).refine(isOwnCursor, FOREIGN_CURSOR);
export type WatchJobInput = z.input<typeof WatchJobInput>;

/** docs/subscriptions.md defines the types. */
export interface JobProgressEvent {
  readonly type: 'SNAPSHOT' | 'PROGRESS' | 'STATUS';
  readonly newSegments: readonly Segment[];
  readonly cursor: string;
  readonly at: Date;
  readonly coalesced: number;
  readonly job: JobView;
}

/**
 * The current state of the job, then every change, until it is final. The subscriber pulls events: a slow one gets fewer,
 * newer events (`coalesced` counts the progress messages that it skipped), and every segment exactly once.
 */
export async function* watchJob(
  deps: WatchDeps,
  by: Principal,
  input: WatchJobInput,
  signal: AbortSignal,
): AsyncGenerator<JobProgressEvent, void, void> {
  const { id, after, minIntervalMs } = validate(WatchJobInput, input, []);
  const reader = await SegmentReader.join(deps, by, id, after);
  try {
    let last: Sent | null = null;
    while (!signal.aborted && !reader.channel.deleted) {
      const { channel } = reader;
      const { version, progressCount } = channel;
      const newSegments = await reader.next();
      // Read after the segments, so that the state is never ahead of them.
      const job = channel.view;
      const complete = reader.hasAll;
      const isNews =
        last === null ||
        job.revision !== last.event.job.revision ||
        (complete && progressCount !== last.progressCount);
      if (newSegments.length > 0 || (isNews && complete)) {
        last = {
          event: toEvent(reader, job, newSegments, progressCount, last),
          progressCount,
          generation: reader.generation,
        };
        yield last.event;
      }
      if (complete && isFinal(job.status)) return;
      if (!complete && newSegments.length > 0) continue;
      await channel.changedSince(version, signal);
      if (last !== null) await pace(channel, last.event, minIntervalMs, reader.nextIndex, signal);
    }
  } finally {
    reader.leave();
  }
}

/** The last event that a subscriber got. */
interface Sent {
  readonly event: JobProgressEvent;
  readonly progressCount: number;
  readonly generation: number;
}

function toEvent(
  reader: SegmentReader,
  job: JobView,
  newSegments: readonly Segment[],
  progressCount: number,
  last: Sent | null,
): JobProgressEvent {
  const { generation, nextIndex, hasAll } = reader;
  const isOver = isFinal(job.status);
  const isRestarted = last === null || last.generation !== generation;
  const isStatus = last !== null && (job.status !== last.event.job.status || (isOver && hasAll));
  return {
    type: isRestarted ? 'SNAPSHOT' : isStatus ? 'STATUS' : 'PROGRESS',
    newSegments,
    cursor: encodeCursor({ jobId: job.id, generation, nextIndex, revision: job.revision }),
    at: new Date(),
    coalesced: last === null ? 0 : Math.max(0, progressCount - last.progressCount - 1),
    // A final status comes only with the last segment.
    job: isOver && !hasAll ? { ...job, status: 'PROCESSING' } : job,
  };
}

/** Progress waits until the interval is over; a segment or a new status does not. */
async function pace(
  channel: JobChannel,
  last: JobProgressEvent,
  minIntervalMs: number,
  nextIndex: number,
  signal: AbortSignal,
): Promise<void> {
  const until = last.at.getTime() + minIntervalMs;
  while (!signal.aborted && !channel.deleted) {
    const urgent = channel.nextIndex > nextIndex || channel.view.status !== last.job.status;
    const waitMs = until - Date.now();
    if (urgent || waitMs <= 0) return;
    await channel.changedSince(channel.version, signal, waitMs);
  }
}
