import { onAbort } from '../process/wait.ts';

/**
 * An event stream that can be stopped while it waits. A generator's own `return` would queue behind the pending `next`,
 * which may never settle, so the source is ended through its signal first.
 */
export function watch<Event>(
  open: (signal: AbortSignal) => AsyncIterable<Event>,
  callerGone: AbortSignal,
): AsyncIterableIterator<Event> {
  const ended = new AbortController();
  const forget = onAbort(callerGone, () => ended.abort());
  const source = open(ended.signal)[Symbol.asyncIterator]();
  const done = { done: true, value: undefined } as const;
  const stop = async (): Promise<IteratorReturnResult<undefined>> => {
    forget();
    ended.abort();
    await source.return?.();
    return done;
  };
  const next = async (): Promise<IteratorResult<Event>> => {
    const result = await source.next().catch((error: unknown) => {
      forget();
      // A source may throw because it was ended.
      if (ended.signal.aborted) return done;
      throw error;
    });
    if (result.done === true) forget();
    return result;
  };
  return {
    next,
    return: stop,
    throw: stop,
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
