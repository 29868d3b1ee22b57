import type { Failure, FailureKind } from './vocabulary.ts';

export interface RetryPolicy {
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** A job whose worker vanished this often is poison: it is not tried again. */
  readonly maxLostAttempts: number;
}

export const DEFAULT_MAX_LOST_ATTEMPTS = 3;

/**
 * Kinds whose cause lies with the engine and not with the audio: another engine may do better, and the
 * same one may recover. FETCH may pass too (an overloaded host), but no other engine helps there.
 */
const ENGINE_SIDE: ReadonlySet<FailureKind> = new Set([
  'TIMEOUT',
  'RATE_LIMITED',
  'ENGINE_UNAVAILABLE',
  'ENGINE_REJECTED',
  'WORKER_LOST',
  'OUT_OF_MEMORY',
  'INTERNAL',
]);

/** True when the job's next engine should take over after this failure. */
export function mayFailOver(failure: Pick<Failure, 'kind'>): boolean {
  return ENGINE_SIDE.has(failure.kind);
}

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
