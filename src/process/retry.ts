import { ExponentialBackoff, halfJitterGenerator } from 'cockatiel';
import { sleep } from './wait.ts';

/** How long to wait after each failure in a row: about 250 ms, 500 ms and so on up to 5 s, with jitter. */
export const BACKOFF = new ExponentialBackoff({
  initialDelay: 250,
  maxDelay: 5000,
  generator: halfJitterGenerator,
});

export interface RetryOptions {
  readonly signal: AbortSignal;
  /** False for an error that another try would meet again; true for all by default. */
  readonly mayPass?: (error: unknown) => boolean;
  /** How many tries there are; no end by default. */
  readonly tries?: number;
  readonly onRetry: (error: unknown, waitMs: number) => void;
}

/**
 * Does the work, again and again until it succeeds. cockatiel's own `retry` goes on waiting, and tries once more, after
 * an abort.
 *
 * @throws An error that cannot pass, or that of the last try; the signal's reason.
 */
export async function untilDone<Result>(work: () => Promise<Result>, options: RetryOptions): Promise<Result> {
  const { signal, mayPass = () => true, tries = Number.POSITIVE_INFINITY, onRetry } = options;
  let backoff = BACKOFF.next();
  for (let left = tries; ; left -= 1, backoff = backoff.next(undefined)) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (signal.aborted || left <= 1 || !mayPass(error)) throw error;
      onRetry(error, backoff.duration);
      await sleep(backoff.duration, signal);
    }
  }
}
