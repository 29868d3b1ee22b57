import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  handleWhen,
  type IBreaker,
  type IHalfOpenAfterBackoffContext,
  isBrokenCircuitError,
} from 'cockatiel';
import { onAbort, unlessAborted } from '../../src/process/wait.ts';

/** closed: calls pass. open: they are refused. half-open: one probes, the others wait for it. */
export type BreakerState = 'closed' | 'open' | 'half-open';

/** What a failed call says about the other side. */
export type Verdict =
  /** It is ill: counts. */
  | 'fault'
  /** Every call will fail so until someone acts, such as a wrong key: opens at once. */
  | 'hopeless'
  /** The call's own fault, or nobody's: doesn't count. */
  | 'unrelated';

export interface CircuitBreakerOptions {
  /** So many faults in a row open the breaker. */
  readonly failureThreshold: number;
  /** The first time closed calls stay refused; doubles with each failed probe. */
  readonly openMs: number;
  readonly maxOpenMs: number;
  readonly judge: (error: unknown) => Verdict;
  readonly onChange?: (state: BreakerState) => void;
}

/** The call was refused without being made. */
export class CircuitOpenError extends Error {
  override readonly name = 'CircuitOpenError';
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number, options?: ErrorOptions) {
    super(`the circuit breaker is open for another ${retryAfterMs} ms`, options);
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * A breaker around calls to a service: cockatiel's, with what a worker needs besides. It can tell
 * whether it pays to fetch a job (`available`), opens at once when no call can succeed, can be
 * closed for a while on the service's own wish (`pause`), and an abort ends the wait for a probe.
 */
export class ServiceBreaker {
  readonly #options: CircuitBreakerOptions;
  readonly #policy: CircuitBreakerPolicy;
  #hopeless = false;
  #openUntil = 0;
  #pausedUntil = 0;

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
    this.#policy = circuitBreaker(
      handleWhen((error) => this.#counts(error)),
      { breaker: this.#breaker(), halfOpenAfter: this.#openTime() },
    );
    this.#policy.onStateChange(() => options.onChange?.(this.state));
  }

  get state(): BreakerState {
    if (this.#policy.state === CircuitState.Closed) return 'closed';
    return this.#policy.state === CircuitState.HalfOpen ? 'half-open' : 'open';
  }

  /** True when a new call would be made: closed and not paused, or due for a probe. */
  get available(): boolean {
    const now = Date.now();
    if (now < this.#pausedUntil) return false;
    return this.state === 'closed' || (this.state === 'open' && now >= this.#openUntil);
  }

  /** The service asked to be left alone; calls under way and given anyway still pass. */
  pause(forMs: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, Date.now() + forMs);
  }

  /**
   * An abort ends the wait; once it is made, the call itself must end by the signal.
   * @throws CircuitOpenError when refused, the signal's reason when aborted, else what `call` throws.
   */
  async run<Result>(call: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    signal.throwIfAborted();
    let started = false;
    const result = this.#policy.execute(() => {
      signal.throwIfAborted();
      started = true;
      return call();
    });
    try {
      return await withAbort(result, signal, () => started);
    } catch (error) {
      if (!isBrokenCircuitError(error)) throw error;
      throw new CircuitOpenError(Math.max(0, this.#openUntil - Date.now()), { cause: error });
    }
  }

  #counts(error: unknown): boolean {
    const verdict = this.#options.judge(error);
    this.#hopeless = verdict === 'hopeless';
    return verdict !== 'unrelated';
  }

  #breaker(): IBreaker {
    const consecutive = new ConsecutiveBreaker(this.#options.failureThreshold);
    return {
      get state() {
        return consecutive.state;
      },
      set state(value: unknown) {
        consecutive.state = Number(value);
      },
      success: () => consecutive.success(),
      failure: () => consecutive.failure() || this.#hopeless,
    };
  }

  #openTime(): DelegateBackoff<IHalfOpenAfterBackoffContext> {
    return new DelegateBackoff(({ attempt }) => {
      const ms = Math.min(this.#options.maxOpenMs, this.#options.openMs * 2 ** (attempt - 1));
      this.#openUntil = Date.now() + ms;
      return ms;
    });
  }
}

/** The promise's outcome, or the signal's reason when it aborts before the work has started. */
export async function withAbort<Result>(
  promise: Promise<Result>,
  signal: AbortSignal,
  hasStarted: () => boolean,
): Promise<Result> {
  const waiting = new AbortController();
  const forget = onAbort(signal, () => {
    if (!hasStarted()) waiting.abort(signal.reason);
  });
  return unlessAborted(promise, waiting.signal).finally(forget);
}
