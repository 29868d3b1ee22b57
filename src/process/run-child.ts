import { Child, type ChildExit, type ChildOptions } from './child.ts';
import { onAbort } from './wait.ts';

/**
 * Runs a program to its end, however it ends. Aborting kills it and what it started, and rejects with the signal's
 * reason once it is gone; no listener is called after that.
 *
 * @throws The error of the system when the program cannot be run; what a listener threw, which ends the program too.
 */
export async function runChild(
  command: string,
  args: readonly string[],
  options: ChildOptions,
  signal: AbortSignal,
): Promise<ChildExit> {
  signal.throwIfAborted();
  const listenerFailed = new AbortController();
  const either = AbortSignal.any([signal, listenerFailed.signal]);
  const guarded = (listener: ((line: string) => void) | undefined) =>
    listener &&
    ((line: string) => {
      if (either.aborted) return;
      try {
        listener(line);
      } catch (error) {
        listenerFailed.abort(error);
      }
    });
  const { onLine, onErrorLine } = options;
  const child = await Child.start([command, ...args], {
    ...options,
    onLine: guarded(onLine),
    onErrorLine: guarded(onErrorLine),
  });
  const forget = onAbort(either, () => child.kill('SIGKILL'));
  const exit = await child.ended;
  forget();
  either.throwIfAborted();
  return exit;
}
