import { z } from 'zod';
import { NotFoundError } from '../domain/errors.ts';
import type { Principal } from '../domain/principal.ts';
import type { Segment } from '../domain/transcript.ts';
import { optional } from '../domain/validate.ts';
import type { Storage } from '../storage/open-storage.ts';
import type { Hub } from './hub.ts';
import type { JobChannel } from './job-channel.ts';
import { WatchCursor } from './watch-cursor.ts';

const MAX_SEGMENTS_PER_EVENT = 500;

/** `after` is the cursor of the last event that the subscriber received. */
export const WatchInput = z.object({ id: z.string(), after: optional(WatchCursor) });

export function isOwnCursor({ id, after }: z.output<typeof WatchInput>): boolean {
  return after === null || after.jobId === id;
}
export const FOREIGN_CURSOR = {
  error: 'is a cursor of another job',
  path: ['after'],
  params: { rule: 'cursor' },
};

export interface WatchDeps extends Pick<Storage, 'reader'> {
  readonly hub: Hub;
}

/** The position of one subscriber in the segments of a job. */
export class SegmentReader {
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

  /** Whether all known segments were read. */
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
