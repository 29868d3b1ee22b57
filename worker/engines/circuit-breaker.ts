import {
  bulkhead,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  handleWhen,
  type IBreaker,
  type IHalfOpenAfterBackoffContext,
  type IPolicy,
  isBrokenCircuitError,
  wrap,
} from 'cockatiel';
import { unlessAborted } from '../../src/process/wait.ts';

/** closed: calls pass. open: they are refused. half-open: one call probes, the others wait for its outcome. */
export type BreakerState = 'closed' | 'open' | 'half-open';

/** What a failed call means for the service. */
export type Verdict =
  /** The service is faulty: counts. */
  | 'fault'
  /** Every call will fail like this until someone acts, such as with a wrong key: opens at once. */
  | 'hopeless'
  /** Not the service's fault: does not count. */
  | 'unrelated';

export interface CircuitBreakerOptions {
  /** The most calls at once; others wait. */
  readonly concurrency: number;
  /** This many faults in a row open the breaker. */
  readonly failureThreshold: number;
  /** How long calls are refused at first; doubles with each failed probe. */
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
 * Calls to a service through cockatiel's bulkhead and circuit breaker, with what a worker needs besides: it reports
 * whether a job should be fetched (`available`), opens at once when no call can succeed, keeps jobs away for as long as
 * the service asks (`pause`), and an abort ends a wait.
 */
export class ServiceBreaker {
  readonly #options: CircuitBreakerOptions;
  readonly #circuit: CircuitBreakerPolicy;
  readonly #policy: IPolicy;
  #isHopeless = false;
  #openUntil = 0;
  #pausedUntil = 0;

  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
    this.#circuit = circuitBreaker(
      handleWhen((error) => this.#counts(error)),
      { breaker: this.#breaker(), halfOpenAfter: this.#openTime() },
    );
    this.#circuit.onStateChange(() => options.onChange?.(this.state));
    this.#policy = wrap(bulkhead(options.concurrency, Number.POSITIVE_INFINITY), this.#circuit);
  }

  get state(): BreakerState {
    if (this.#circuit.state === CircuitState.Closed) return 'closed';
    return this.#circuit.state === CircuitState.HalfOpen ? 'half-open' : 'open';
  }

  /** True when a new call would be made: closed and not paused, or due for a probe. */
  get available(): boolean {
    const now = Date.now();
    if (now < this.#pausedUntil) return false;
    return this.state === 'closed' || (this.state === 'open' && now >= this.#openUntil);
  }

  /** Makes the service unavailable for a while; calls under way continue, and new ones are still made. */
  pause(forMs: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, Date.now() + forMs);
  }

  /**
   * Makes the call, once there is room. An abort ends the wait; the call itself must end by the same signal.
   *
   * @throws CircuitOpenError when it is refused; the signal's reason; what `call` throws.
   */
  async run<Result>(call: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    signal.throwIfAborted();
    const result = this.#policy.execute(() => {
      signal.throwIfAborted();
      return call();
    });
    try {
      return await unlessAborted(result, signal);
    } catch (error) {
      if (!isBrokenCircuitError(error)) throw error;
      throw new CircuitOpenError(Math.max(0, this.#openUntil - Date.now()), { cause: error });
    }
  }

  #counts(error: unknown): boolean {
    const verdict = this.#options.judge(error);
    this.#isHopeless = verdict === 'hopeless';
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
      failure: () => consecutive.failure() || this.#isHopeless,
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
