import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { aborted, Bell, onAbort, sleep, unlessAborted, withTimeout } from '../../../src/process/wait.ts';

const never = new AbortController().signal;
const LONG_MS = 600_000;

const unhandled = vi.fn();
const warned = vi.fn();
beforeEach(() => {
  process.on('unhandledRejection', unhandled);
  process.on('warning', warned);
});
afterEach(() => {
  process.off('unhandledRejection', unhandled);
  process.off('warning', warned);
  vi.clearAllMocks();
});

it('many waits on one signal end with it, without a warning and without listeners left', async () => {
  const stop = new AbortController();
  const waits = Array.from({ length: 50 }, () => [
    sleep(LONG_MS, stop.signal),
    aborted(stop.signal),
    new Bell().wait(stop.signal),
    unlessAborted(new Promise(() => {}), stop.signal).catch(() => {}),
  ]).flat();
  // Warnings are emitted on the next tick.
  await nextTurn();
  expect(warned).not.toHaveBeenCalled();

  stop.abort();

  await Promise.all(waits);
});

it('a wait that ends by itself leaves no listener on the signal', async () => {
  const add = vi.spyOn(AbortSignal.prototype, 'addEventListener');
  const remove = vi.spyOn(AbortSignal.prototype, 'removeEventListener');
  const bell = new Bell();
  bell.ring();

  await sleep(1, never);
  await unlessAborted(Promise.resolve(), never);
  await bell.wait(never);
  await bell.wait(never, 1);

  expect(add).toHaveBeenCalled();
  expect(remove).toHaveBeenCalledTimes(add.mock.calls.length);
  vi.restoreAllMocks();
});

describe('onAbort', () => {
  it('calls back once, at once for a signal that is aborted already', () => {
    const stop = new AbortController();
    const callback = vi.fn();
    onAbort(stop.signal, callback);
    expect(callback).not.toHaveBeenCalled();

    stop.abort();
    onAbort(stop.signal, callback);

    expect(callback.mock.calls).toEqual([[], []]);
  });

  it('does not call back what was taken back', () => {
    const stop = new AbortController();
    const callback = vi.fn();
    onAbort(stop.signal, callback)();

    stop.abort();

    expect(callback).not.toHaveBeenCalled();
  });
});

describe('aborted', () => {
  it('resolves with nothing, also for a signal that is aborted already', async () => {
    const stop = new AbortController();
    const waited = aborted(stop.signal);
    stop.abort(new Error('stopped'));

    expect(await waited).toBeUndefined();
    expect(await aborted(stop.signal)).toBeUndefined();
  });
});

describe('sleep', () => {
  it('resolves early when the signal aborts, and at once when it already has', async () => {
    const startedAt = Date.now();
    const stop = new AbortController();
    const slept = sleep(LONG_MS, stop.signal);
    stop.abort();

    await slept;
    await sleep(LONG_MS, stop.signal);

    expect(Date.now() - startedAt).toBeLessThan(5000);
  });
});

describe('withTimeout', () => {
  it('aborts in time, even if the garbage collector runs meanwhile', async () => {
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const ended = aborted(withTimeout(never, 50));
    for (let turn = 0; turn < 5; turn += 1) {
      collect();
      await nextTurn();
    }

    await ended;
  });

  it('aborts with the signal, and with its reason', async () => {
    const stop = new AbortController();
    const either = withTimeout(stop.signal, LONG_MS);
    stop.abort(new Error('stopped'));

    expect(either.reason).toEqual(new Error('stopped'));
    expect(withTimeout(stop.signal, LONG_MS).aborted).toBe(true);
  });
});

describe('Bell', () => {
  it('ends the wait in progress, and the next one when it rings in between', async () => {
    const bell = new Bell();
    const waited = bell.wait(never, LONG_MS);
    bell.ring();
    await waited;
    bell.ring();
    await bell.wait(never, LONG_MS);
  });

  it('is silent after it was cleared or waited for', async () => {
    const bell = new Bell();
    const onWoken = vi.fn();
    bell.ring();
    bell.clear();
    const stop = new AbortController();
    const waited = bell.wait(stop.signal).then(onWoken);
    await nextTurn();
    expect(onWoken).not.toHaveBeenCalled();

    stop.abort();
    await waited;
  });
});

describe('unlessAborted', () => {
  it('lets work that began under an aborted signal fail later without ending the process', async () => {
    let fail: (error: Error) => void = () => undefined;
    const begun = new Promise<void>((_, reject) => {
      fail = reject;
    });
    await expect(unlessAborted(begun, AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
    fail(new Error('the connection broke'));
    // Unhandled rejections are reported once the microtasks are done.
    await nextTurn();

    expect(unhandled).not.toHaveBeenCalled();
  });

  it('gives the outcome of what ends first', async () => {
    const stop = new AbortController();
    const waited = unlessAborted(new Promise<number>(() => undefined), stop.signal);
    stop.abort(new Error('stopped'));

    await expect(waited).rejects.toThrow('stopped');
    await expect(unlessAborted(Promise.resolve(1), never)).resolves.toBe(1);
    await expect(unlessAborted(Promise.reject(new Error('failed')), never)).rejects.toThrow('failed');
  });
});
