import type { IBackoff } from 'cockatiel';
import type { Logger } from '../observability/logger.ts';
import { BACKOFF } from './retry.ts';
import { Bell, sleep } from './wait.ts';

export interface LoopOptions {
  readonly name: string;
  /** The longest wait between two steps; at least 1 s, as everything faster comes by `wake`. */
  readonly intervalMs: number;
  readonly log: Logger;
  /** One piece of work. An error is logged, and the next step comes a little later. */
  step(signal: AbortSignal): Promise<void>;
}

/**
 * Runs a step repeatedly: when woken, and at the latest after the interval; never two at once. A wake during a step
 * leads to one more step after it.
 */
export class Loop {
  readonly #options: LoopOptions;
  readonly #bell = new Bell();

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  wake(): void {
    this.#bell.ring();
  }

  /** Resolves once the signal is aborted and the current step has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const { name, intervalMs, log } = this.#options;
    let backoff: IBackoff<unknown> | null = null;
    while (!signal.aborted) {
      this.#bell.clear();
      try {
        await this.#options.step(signal);
        backoff = null;
        await this.#bell.wait(signal, intervalMs);
      } catch (err) {
        if (signal.aborted) return;
        backoff = (backoff ?? BACKOFF).next(undefined);
        const backoffMs = Math.round(backoff.duration);
        log.warn({ err, loop: name, backoffMs }, 'background step failed; retrying');
        await sleep(backoffMs, signal);
      }
    }
  }
}
