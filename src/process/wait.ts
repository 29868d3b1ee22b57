import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Calls back once when the signal aborts, at once if it is aborted already.
 *
 * @returns What takes the callback back.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  if (signal.aborted) {
    callback();
    return () => undefined;
  }
  allowManyListeners(signal);
  const listener = () => callback();
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}

/** Resolves after `ms`, or as soon as the signal is aborted; the caller looks at the signal. */
export async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  allowManyListeners(signal);
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

/** Resolves once the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    onAbort(signal, resolve);
  });
}

/** The promise's outcome, or the signal's reason as soon as it is aborted. */
export async function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  // A promise that loses the race may still fail, which must not count as an unhandled rejection.
  promise.catch(() => undefined);
  signal.throwIfAborted();
  let forget = () => {};
  const abort = new Promise<never>((_, reject) => {
    forget = onAbort(signal, () => reject(signal.reason));
  });
  try {
    return await Promise.race([promise, abort]);
  } finally {
    forget();
  }
}

const timeouts = new WeakMap<AbortSignal, AbortSignal>();

/**
 * A signal that aborts with this one, or after `ms` with a TimeoutError. By itself, `AbortSignal.any` does not keep the
 * timeout from the garbage collector (Node 20), and then it never comes.
 */
export function withTimeout(signal: AbortSignal, ms: number): AbortSignal {
  const timeout = AbortSignal.timeout(Math.ceil(ms));
  const either = AbortSignal.any([signal, timeout]);
  timeouts.set(either, timeout);
  return either;
}

/** Wakes a loop that waits. A ring while the loop is busy ends its next wait at once. */
export class Bell {
  #rung = false;
  #wake: () => void = () => {};

  ring(): void {
    this.#rung = true;
    this.#wake();
  }

  /** Forgets earlier rings. */
  clear(): void {
    this.#rung = false;
  }

  /** Until it rings, the signal aborts or `ms` are over. */
  async wait(signal: AbortSignal, ms?: number): Promise<void> {
    if (!this.#rung) {
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      const forget = onAbort(signal, this.#wake);
      await (ms === undefined ? aborted(woken.signal) : sleep(ms, woken.signal));
      forget();
    }
    this.#rung = false;
  }
}

/** Node warns of a leak at 11 listeners. Here each wait removes its own, however many wait at the same time. */
function allowManyListeners(signal: AbortSignal): void {
  setMaxListeners(0, signal);
}
