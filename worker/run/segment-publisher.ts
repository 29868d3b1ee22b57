import type { Segment, Word } from '../../src/domain/transcript.ts';
import type { EngineSegment } from '../engines/engine.ts';
import type { WorkerTiming } from '../timing.ts';
import type { EventPublisher } from './event-publisher.ts';
import { fitSegment, type SegmentBounds, splitBySize } from './fit-segments.ts';

/**
 * Numbers the engine's segments and publishes them as they come: those of one moment share an event, with at most a few
 * events a second, each far below the message limit.
 */
export class SegmentPublisher {
  readonly #events: EventPublisher;
  readonly #timing: WorkerTiming;
  readonly #onError: (error: unknown) => void;
  #pending: Segment[] = [];
  #nextIndex: number;
  #endMs: number;
  /** The checkpoint once everything so far is stored. */
  #doneMs: number;
  #language: string | null;
  #timer: NodeJS.Timeout | null = null;
  #sentAt = Number.NEGATIVE_INFINITY;
  #failure: { readonly error: unknown } | null = null;
  #sending: Promise<void> = Promise.resolve();

  /** @param onError Called at once when segments cannot be published; `finish` throws the same error. */
  constructor(events: EventPublisher, timing: WorkerTiming, onError: (error: unknown) => void) {
    this.#events = events;
    this.#timing = timing;
    this.#onError = onError;
    this.#nextIndex = events.checkpoint.segmentCount;
    this.#endMs = events.checkpoint.checkpointMs;
    this.#doneMs = events.checkpoint.checkpointMs;
    this.#language = events.checkpoint.language;
  }

  /** Segments so far, of this run and earlier ones. */
  get count(): number {
    return this.#nextIndex;
  }

  get language(): string | null {
    return this.#language;
  }

  /** The end of the last segment, or where the run began. */
  get endMs(): number {
    return this.#endMs;
  }

  /** @param bounds Where the piece is in the recording. */
  add(segments: readonly EngineSegment[], bounds: SegmentBounds): void {
    for (const found of segments) {
      const fitted = fitSegment(found, { ...bounds, notBeforeMs: this.#endMs });
      if (fitted === null) continue;
      this.#pending.push({ ...fitted, index: this.#nextIndex });
      this.#nextIndex += 1;
      this.#endMs = fitted.endMs;
      this.#doneMs = Math.max(this.#doneMs, fitted.endMs);
    }
    if (this.#pending.length > 0) this.#schedule();
  }

  /** Everything up to here is done, with or without speech. */
  advance(doneMs: number, language: string | null): void {
    this.#language = language ?? this.#language;
    if (doneMs <= this.#doneMs && this.#pending.length === 0) return;
    this.#doneMs = Math.max(this.#doneMs, doneMs);
    this.#schedule();
  }

  /** Publishes the rest and returns the checkpoint for the run's last event. */
  async finish(): Promise<{ readonly checkpointMs: number; readonly language: string | null }> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#pending.length > 0) this.#send();
    await this.#sending;
    if (this.#failure !== null) throw this.#failure.error;
    return { checkpointMs: this.#doneMs, language: this.#language };
  }

  #schedule(): void {
    if (this.#timer !== null || this.#failure !== null) return;
    const sinceMs = performance.now() - this.#sentAt;
    const waitMs = Math.max(this.#timing.coalesceMs, this.#timing.segmentsIntervalMs - sinceMs);
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#send();
    }, waitMs);
  }

  #send(): void {
    const batch = this.#pending;
    const checkpointMs = this.#doneMs;
    const language = this.#language;
    this.#pending = [];
    this.#sentAt = performance.now();
    this.#sending = this.#sending
      .then(() => this.#publish(batch, checkpointMs, language))
      .catch((error: unknown) => {
        this.#failure ??= { error };
        this.#onError(error);
      });
  }

  async #publish(batch: readonly Segment[], doneMs: number, language: string | null): Promise<void> {
    const parts = batch.length === 0 ? [[]] : splitBySize(batch);
    for (const [position, part] of parts.entries()) {
      const last = part.at(-1);
      const isLast = position === parts.length - 1;
      await this.#events.publish(
        { type: 'segments', segments: part.map((segment) => ({ ...segment, words: copyOf(segment.words) })) },
        {
          segmentCount: last === undefined ? this.#events.checkpoint.segmentCount : last.index + 1,
          checkpointMs: isLast ? doneMs : (last?.endMs ?? doneMs),
          language,
        },
      );
    }
  }
}

function copyOf(words: readonly Word[] | null): Word[] | null {
  return words === null ? null : [...words];
}
