import type { Failure } from './vocabulary.ts';

export interface RetryPolicy {
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
}

/**
 * The wait before the next attempt: exponential with full jitter, and never shorter than
 * a `Retry-After` of the engine or the host.
 *
 * @param failures Attempts that failed so far, at least 1.
 * @param random From 0 to 1.
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
