import { expect, it, vi } from 'vitest';
import { BACKOFF, untilDone } from '../../../src/process/retry.ts';

const never = new AbortController().signal;
const passing = new Error('connection refused');

/** Rejects so many times, then resolves. */
function failing(times: number): () => Promise<string> {
  let calls = 0;
  return async () => {
    calls += 1;
    if (calls <= times) throw passing;
    return `done at call ${calls}`;
  };
}

it('waits about twice as long after each failure, up to 5 s', () => {
  const waits: number[] = [];
  for (let backoff = BACKOFF.next(); waits.length < 8; backoff = backoff.next(undefined)) {
    waits.push(backoff.duration);
  }
  const longest = [250, 500, 1000, 2000, 4000, 5000, 5000, 5000];
  for (const [at, wait] of waits.entries()) {
    expect(wait).toBeLessThanOrEqual(longest[at] ?? 0);
    expect(wait).toBeGreaterThanOrEqual((longest[at] ?? 0) / 2 - 1);
  }
});

it('tries until the work succeeds, and reports each failure', async () => {
  const onRetry = vi.fn();

  expect(await untilDone(failing(2), { signal: never, onRetry })).toBe('done at call 3');

  expect(onRetry).toHaveBeenCalledTimes(2);
  expect(onRetry).toHaveBeenCalledWith(passing, expect.any(Number));
});

it('throws an error that cannot pass at once', async () => {
  const onRetry = vi.fn();

  await expect(untilDone(failing(2), { signal: never, mayPass: () => false, onRetry })).rejects.toBe(passing);

  expect(onRetry).not.toHaveBeenCalled();
});

it('throws the error of the last try', async () => {
  const work = vi.fn(failing(2));

  await expect(untilDone(work, { signal: never, tries: 2, onRetry: () => {} })).rejects.toBe(passing);

  expect(work).toHaveBeenCalledTimes(2);
});

it('ends with the reason of the signal, also while it waits', async () => {
  const stop = new AbortController();
  const reason = new Error('shutting down');
  const work = vi.fn(failing(Number.POSITIVE_INFINITY));

  await expect(untilDone(work, { signal: stop.signal, onRetry: () => stop.abort(reason) })).rejects.toBe(
    reason,
  );
  await expect(untilDone(work, { signal: stop.signal, onRetry: () => {} })).rejects.toBe(reason);

  expect(work).toHaveBeenCalledTimes(1);
});
