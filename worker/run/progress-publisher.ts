import { MAX_INTEGER, PROTOCOL_VERSION } from '../../src/contract/messages.ts';
import type { JobStage } from '../../src/domain/vocabulary.ts';
import type { NatsConnection } from '../../src/messaging/connection.ts';
import { publishProgress } from '../../src/messaging/live.ts';
import type { WorkerTiming } from '../timing.ts';

export interface ProgressOptions {
  readonly nc: NatsConnection;
  readonly jobId: string;
  readonly attempt: number;
  readonly runId: string;
  /** The checkpoint: progress starts there. */
  readonly startMs: number;
  /** Seconds of audio per second that this worker measured for the model earlier; null when it never ran. */
  readonly usualRate: number | null;
  readonly timing: WorkerTiming;
}

/** Publishes how far a run is: at most four times a second, and at least every two seconds as a sign of activity. */
export class ProgressPublisher {
  readonly #options: ProgressOptions;
  #stage: JobStage = 'FETCHING';
  #processedMs: number;
  #totalMs: number | null = null;
  #estimated = false;
  #transcribingSince: number | null = null;
  #sentAt = 0;
  #timer: NodeJS.Timeout | null = null;
  #liveness: NodeJS.Timeout | null = null;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#processedMs = options.startMs;
  }

  start(): void {
    this.#liveness = setInterval(() => this.#send(), this.#options.timing.livenessMs);
    this.#send();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#liveness !== null) clearInterval(this.#liveness);
    this.#liveness = null;
  }

  enter(stage: JobStage): void {
    this.#stage = stage;
    if (stage === 'TRANSCRIBING') this.#transcribingSince ??= performance.now();
    this.#soon();
  }

  /** The recording's length is known. */
  total(totalMs: number | null): void {
    this.#totalMs = totalMs;
    this.#soon();
  }

  /** Never falls, and never passes the total. */
  processed(processedMs: number): void {
    const limit = this.#totalMs ?? MAX_INTEGER;
    this.#processedMs = Math.max(this.#processedMs, Math.min(Math.round(processedMs), limit));
    this.#soon();
  }

  /** While true, the engine does not report how far it is: the time left is an estimate. */
  indeterminate(value: boolean): void {
    this.#estimated = value;
    this.#soon();
  }

  #soon(): void {
    if (this.#timer !== null || this.#liveness === null) return;
    const waitMs = Math.max(0, this.#sentAt + this.#options.timing.progressMs - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#send();
    }, waitMs);
  }

  #send(): void {
    const { nc, jobId, attempt, runId } = this.#options;
    this.#sentAt = performance.now();
    publishProgress(nc, {
      v: PROTOCOL_VERSION,
      jobId,
      attempt,
      runId,
      at: Date.now(),
      stage: this.#stage,
      processedMs: this.#processedMs,
      totalMs: this.#totalMs,
      realtimeFactor: this.#rate(),
      estimated: this.#estimated,
      etaMs: this.#etaMs(),
    });
  }

  #rate(): number | null {
    if (this.#estimated || this.#transcribingSince === null) return null;
    const elapsedMs = this.#sentAt - this.#transcribingSince;
    const doneMs = this.#processedMs - this.#options.startMs;
    return elapsedMs > 0 && doneMs > 0 ? doneMs / elapsedMs : null;
  }

  #etaMs(): number | null {
    if (this.#totalMs === null) return null;
    const rate = this.#rate() ?? this.#options.usualRate;
    if (rate === null || rate <= 0) return null;
    const leftMs = (this.#totalMs - this.#processedMs) / rate;
    if (!this.#estimated) return Math.round(leftMs);
    const elapsedMs = this.#sentAt - (this.#transcribingSince ?? this.#sentAt);
    return Math.max(0, Math.round(leftMs - elapsedMs));
  }
}
