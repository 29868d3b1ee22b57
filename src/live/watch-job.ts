import { z } from 'zod';
import { NotFoundError } from '../domain/errors.ts';
import type { JobView } from '../domain/job-view.ts';
import type { Principal } from '../domain/principal.ts';
import type { Segment } from '../domain/transcript.ts';
import { defaulted, integer, optional, validate } from '../domain/validate.ts';
import { isFinal, type JobStatus } from '../domain/vocabulary.ts';
import type { Storage } from '../storage/open-storage.ts';
import type { Hub } from './hub.ts';
import type { JobChannel } from './job-channel.ts';
import { encodeCursor, WatchCursor } from './watch-cursor.ts';

export const DEFAULT_MIN_INTERVAL_MS = 250;
const MAX_SEGMENTS_PER_EVENT = 500;

/** `after` is the cursor of the last event that the subscriber has. */
const Place = z.object({ id: z.string(), after: optional(WatchCursor) });
const isOwnCursor = ({ id, after }: z.output<typeof Place>) => after === null || after.jobId === id;
const FOREIGN_CURSOR = {
  error: 'is a cursor of another job',
  path: ['after'],
  params: { rule: 'cursor' },
};

export const WatchSegmentsInput = Place.refine(isOwnCursor, FOREIGN_CURSOR);
export type WatchSegmentsInput = z.input<typeof WatchSegmentsInput>;

export const WatchJobInput = Place.extend({
  minIntervalMs: defaulted(integer(100, 10_000), DEFAULT_MIN_INTERVAL_MS),
}).refine(isOwnCursor, FOREIGN_CURSOR);
export type WatchJobInput = z.input<typeof WatchJobInput>;

export interface WatchDeps extends Pick<Storage, 'reader'> {
  readonly hub: Hub;
}

/**
 * The job's state at once, then every change, until it is final. Pulled by its reader: one that is slow gets fewer,
 * newer events (`coalesced` counts the progress messages it did not see), and every segment exactly once.
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
      // Read after the segments, so that the state never runs ahead of them.
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

/** Every segment once, in order, from the cursor or the start; ends with the job. */
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
      if (reader.hasAll) await reader.channel.changedSince(version, signal);
    }
  } finally {
    reader.leave();
  }
}

/** One subscriber's place in a job's segments. */
class SegmentReader {
  readonly channel: JobChannel;
  readonly #deps: WatchDeps;
  generation: number;
  nextIndex: number;

  private constructor(deps: WatchDeps, channel: JobChannel, nextIndex: number) {
    this.#deps = deps;
    this.channel = channel;
    this.generation = channel.generation;
    this.nextIndex = nextIndex;
  }

  /** @throws NotFoundError when the tenant has no such job. */
  static async join(
    deps: WatchDeps,
    by: Principal,
    jobId: string,
    cursor: WatchCursor | null,
  ): Promise<SegmentReader> {
    const channel = await deps.hub.join(jobId);
    if (channel === null) throw new NotFoundError('job', jobId, ['id']);
    if (channel.view.tenantId !== by.tenantId) {
      deps.hub.leave(jobId);
      throw new NotFoundError('job', jobId, ['id']);
    }
    const same = cursor !== null && cursor.generation === channel.generation;
    return new SegmentReader(deps, channel, same ? cursor.nextIndex : 0);
  }

  /** True when nothing more is known than what was read. */
  get hasAll(): boolean {
    return this.generation === this.channel.generation && this.nextIndex >= this.channel.nextIndex;
  }

  async next(): Promise<readonly Segment[]> {
    if (this.generation !== this.channel.generation) {
      this.generation = this.channel.generation;
      this.nextIndex = 0;
    }
    if (this.hasAll) return [];
    const { generation } = this;
    const { tenantId, id } = this.channel.view;
    const live = this.channel.tailFrom(this.nextIndex);
    const segments =
      live === null
        ? await this.#deps.reader.segments(tenantId, id, this.nextIndex, MAX_SEGMENTS_PER_EVENT)
        : live.slice(0, MAX_SEGMENTS_PER_EVENT);
    // The transcript was started over while it was read.
    if (generation !== this.channel.generation) return [];
    this.nextIndex += segments.length;
    return segments;
  }

  leave(): void {
    this.#deps.hub.leave(this.channel.view.id);
  }
}

/** See docs/subscriptions.md for what each type promises. */
export interface JobProgressEvent {
  readonly type: 'SNAPSHOT' | 'PROGRESS' | 'STATUS';
  readonly newSegments: readonly Segment[];
  readonly cursor: string;
  readonly at: Date;
  readonly coalesced: number;
  readonly job: JobView;
}

export interface JobSegmentsEvent {
  readonly cursor: string;
  readonly from: number;
  readonly to: number;
  readonly segments: readonly Segment[];
  readonly jobStatus: JobStatus;
}
