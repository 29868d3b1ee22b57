import { once } from 'node:events';
import { afterEach, expect, it, vi } from 'vitest';
import { unlessAborted } from '../../../src/process/wait.ts';

const unhandled = vi.fn();
process.on('unhandledRejection', unhandled);
afterEach(() => process.off('unhandledRejection', unhandled));

it('lets what was begun under an aborted signal fail later without ending the process', async () => {
  let fail: (error: Error) => void = () => undefined;
  const begun = new Promise<void>((_, reject) => {
    fail = reject;
  });
  const waited = unlessAborted(begun, AbortSignal.abort(new Error('too late')));
  await expect(waited).rejects.toThrow('too late');
  fail(new Error('the connection broke'));
  // Node tells of unhandled rejections once the microtasks are done.
  const turn = new MessageChannel();
  turn.port2.postMessage(null);
  await once(turn.port1, 'message');
  turn.port1.close();

  expect(unhandled).not.toHaveBeenCalled();
});

it('gives the outcome of what ends first', async () => {
  const never = new Promise<number>(() => undefined);
  const stop = new AbortController();
  const waited = unlessAborted(never, stop.signal);
  stop.abort(new Error('stopped'));

  await expect(waited).rejects.toThrow('stopped');
  await expect(unlessAborted(Promise.resolve(1), new AbortController().signal)).resolves.toBe(1);
});
