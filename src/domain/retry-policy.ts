import type { Failure } from './vocabulary.ts';

export interface RetryPolicy {
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** A job whose worker vanished this often is poison: it is not tried again. */
  readonly maxLostRuns: number;
}

export const DEFAULT_MAX_LOST_RUNS = 3;

/**
 * The wait before the next attempt: exponential with full jitter, and never shorter than the other
 * side asked for (`Retry-After`).
 *
 * @param failures Attempts that failed so far, at least 1.
 * @param random From 0 to 1, the caller's.
 * Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
 */
export function retryDelayMs(
  policy: RetryPolicy,
  failures: number,
  failure: Pick<Failure, 'retryAfterMs'>,
  random: number,
): number {
  const ceiling = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** (failures - 1));
  return Math.max(Math.round(ceiling * random), failure.retryAfterMs ?? 0);
}
