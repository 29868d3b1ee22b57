import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../observability/logger.ts';

export interface LoopOptions {
  readonly name: string;
  /** The longest wait between two steps; at least 1 s, as everything faster comes by `wake`. */
  readonly intervalMs: number;
  readonly log: Logger;
  /** One piece of work. What it throws is logged, and the next step comes a little later. */
  step(signal: AbortSignal): Promise<void>;
}

const MIN_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 10_000;

/**
 * Runs a step again and again: when woken, and at the latest after the interval; never two at once. A wake
 * during a step leads to one more step after it.
 */
export class Loop {
  readonly #options: LoopOptions;
  #woken = false;
  #wakeUp: (() => void) | null = null;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  wake(): void {
    this.#woken = true;
    this.#wakeUp?.();
  }

  /** Resolves once the signal is aborted and the step in hand has ended. */
  async run(signal: AbortSignal): Promise<void> {
    let backoffMs = 0;
    while (!signal.aborted) {
      this.#woken = false;
      try {
        await this.#options.step(signal);
        backoffMs = 0;
      } catch (err) {
        if (signal.aborted) return;
        backoffMs = Math.min(MAX_BACKOFF_MS, Math.max(MIN_BACKOFF_MS, backoffMs * 2));
        this.#options.log.warn(
          { err, loop: this.#options.name, backoffMs },
          'a background step failed; it is tried again',
        );
      }
      if (backoffMs > 0) await sleep(backoffMs, signal);
      else if (!this.#woken) await this.#wait(signal);
    }
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    this.#wakeUp = () => woken.abort();
    try {
      await sleep(this.#options.intervalMs, AbortSignal.any([signal, woken.signal]));
    } finally {
      this.#wakeUp = null;
    }
  }
}

/** Waits, but no longer than until the signal aborts; never rejects. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
