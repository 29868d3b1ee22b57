import type { EventMessage, ProgressMessage } from '../contract/messages.ts';
import type { JobView } from '../domain/job-view.ts';
import type { Segment } from '../domain/transcript.ts';
import { Bell } from '../process/wait.ts';
import { withLiveProgress } from './live-progress.ts';

/** A stored job with the generation and length of its transcript. */
export interface StoredSnapshot {
  readonly view: JobView;
  readonly generation: number;
  readonly segmentCount: number;
}

/** Live segments kept until the database has them; further ones are read from there. */
const MAX_TAIL = 2000;

/**
 * Shared by all subscribers of one job in this process: the stored job, and the live events that are ahead of it.
 *
 * Postgres is the truth. A live event is passed on immediately only when it continues exactly where this channel is.
 * Anything else (a gap, another attempt) waits for the row, which the projector writes and announces within milliseconds.
 * So a lost live message costs a little time, but never a segment.
 */
export class JobChannel {
  #stored: StoredSnapshot;
  /** Segments after `segmentCount` of the stored job, in order without a gap. */
  #tail: Segment[] = [];
  #checkpointMs = 0;
  #progress: ProgressMessage | null = null;
  #runId: string | null = null;
  #deleted = false;
  #version = 0;
  /** Number of progress messages, so that a subscriber can count those that it skipped. */
  #progressCount = 0;
  readonly #waiting = new Set<Bell>();

  constructor(stored: StoredSnapshot) {
    this.#stored = stored;
  }

  /** The current job. */
  get view(): JobView {
    return withLiveProgress(this.#stored.view, {
      latest: this.#progress,
      checkpointMs: this.#checkpointMs,
      segmentCount: this.nextIndex,
    });
  }

  get generation(): number {
    return this.#stored.generation;
  }

  /** The index of the next segment. */
  get nextIndex(): number {
    return this.#stored.segmentCount + this.#tail.length;
  }

  /** Increases with every change. */
  get version(): number {
    return this.#version;
  }

  get progressCount(): number {
    return this.#progressCount;
  }

  get deleted(): boolean {
    return this.#deleted;
  }

  /** The live segments from `index` on, or null when they must be read from the database. */
  tailFrom(index: number): readonly Segment[] | null {
    const offset = index - this.#stored.segmentCount;
    return offset < 0 ? null : this.#tail.slice(offset);
  }

  /** @param stored The row that was just read; null when the job was deleted. */
  update(stored: StoredSnapshot | null): void {
    if (stored === null) {
      this.#deleted = true;
      this.#changed();
      return;
    }
    if (stored.view.revision < this.#stored.view.revision) return;
    const sameRun =
      stored.generation === this.#stored.generation && stored.view.attempt === this.#stored.view.attempt;
    const ahead = this.nextIndex - stored.segmentCount;
    if (stored.generation === this.#stored.generation && ahead > 0) this.#tail = this.#tail.slice(-ahead);
    else this.#tail = [];
    if (!sameRun) {
      this.#progress = null;
      this.#runId = null;
      this.#checkpointMs = 0;
    }
    this.#stored = stored;
    this.#changed();
  }

  receiveEvent(event: EventMessage): void {
    if (event.type === 'started') {
      this.#runId = event.runId;
      return;
    }
    if (event.type !== 'segments') return;
    if (event.attempt !== this.#stored.view.attempt && event.runId !== this.#runId) return;
    const first = event.segments[0];
    if (first === undefined || first.index !== this.nextIndex || this.#tail.length >= MAX_TAIL) return;
    this.#tail.push(...event.segments);
    this.#checkpointMs = Math.max(this.#checkpointMs, event.checkpointMs);
    this.#changed();
  }

  receiveProgress(progress: ProgressMessage): void {
    if (this.#progress !== null && progress.attempt < this.#progress.attempt) return;
    this.#progress = progress;
    this.#progressCount += 1;
    this.#changed();
  }

  #changed(): void {
    this.#version += 1;
    for (const bell of this.#waiting) bell.ring();
  }

  /** Resolves when the version is past `version`, the signal aborts, or `ms` are over. */
  async changedSince(version: number, signal: AbortSignal, ms?: number): Promise<void> {
    if (this.#version > version) return;
    const bell = new Bell();
    this.#waiting.add(bell);
    await bell.wait(signal, ms);
    this.#waiting.delete(bell);
  }
}
