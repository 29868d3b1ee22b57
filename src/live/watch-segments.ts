import type { z } from 'zod';
import type { Principal } from '../domain/principal.ts';
import type { Segment } from '../domain/transcript.ts';
import { validate } from '../domain/validate.ts';
import { isFinal, type JobStatus } from '../domain/vocabulary.ts';
import { FOREIGN_CURSOR, isOwnCursor, SegmentReader, type WatchDeps, WatchInput } from './segment-reader.ts';
import { encodeCursor } from './watch-cursor.ts';

export const WatchSegmentsInput = WatchInput.refine(isOwnCursor, FOREIGN_CURSOR);
export type WatchSegmentsInput = z.input<typeof WatchSegmentsInput>;

export interface JobSegmentsEvent {
  readonly cursor: string;
  readonly from: number;
  readonly to: number;
  readonly segments: readonly Segment[];
  readonly jobStatus: JobStatus;
}

/** Every segment once, in order, from the cursor or the start; completes with the job. */
export async function* watchSegments(
  deps: WatchDeps,
  by: Principal,
  input: WatchSegmentsInput,
  signal: AbortSignal,
): AsyncGenerator<JobSegmentsEvent, void, void> {
  const { id, after } = validate(WatchSegmentsInput, input, []);
  const reader = await SegmentReader.join(deps, by, id, after);
  try {
    while (!signal.aborted && !reader.channel.deleted) {
      const { version } = reader.channel;
      const from = reader.nextIndex;
      const segments = await reader.next();
      const job = reader.channel.view;
      const ended = isFinal(job.status) && reader.hasAll;
      if (segments.length > 0 || ended) {
        yield {
          cursor: encodeCursor({
            jobId: job.id,
            generation: reader.generation,
            nextIndex: reader.nextIndex,
            revision: job.revision,
          }),
          from: segments[0]?.index ?? from,
          to: reader.nextIndex - 1,
          segments,
          jobStatus: isFinal(job.status) && !ended ? 'PROCESSING' : job.status,
        };
      }
      if (ended) return;
      // Known segments may not be readable yet; the next change of the row brings them.
      if (reader.hasAll || segments.length === 0) await reader.channel.changedSince(version, signal);
    }
  } finally {
    reader.leave();
  }
}
