import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  CircuitOpenError,
  ServiceBreaker,
  type Verdict,
} from '../../../../worker/engines/circuit-breaker.ts';

const never = new AbortController().signal;
const ill = () => Promise.reject(new Error('fault'));
const well = () => Promise.resolve('done');

function aBreaker() {
  return new ServiceBreaker({
    concurrency: Number.POSITIVE_INFINITY,
    failureThreshold: 3,
    openMs: 1000,
    maxOpenMs: 3000,
    judge: (error) => (error as Error).message as Verdict,
  });
}

async function breakIt(breaker: ServiceBreaker): Promise<void> {
  for (let at = 0; at < 3; at += 1) await expect(breaker.run(ill, never)).rejects.toThrow('fault');
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a circuit breaker', () => {
  test('opens after so many faults in a row, and says for how long', async () => {
    const breaker = aBreaker();

    await breakIt(breaker);

    expect([breaker.state, breaker.available]).toEqual(['open', false]);
    const refused = await breaker.run(well, never).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(CircuitOpenError);
    expect(refused).toMatchObject({ retryAfterMs: 1000 });
  });

  test('forgets faults after a success, and never counts what is unrelated', async () => {
    const breaker = aBreaker();

    for (const outcome of ['fault', 'fault', null, 'fault', 'unrelated', 'fault']) {
      const call = () => (outcome === null ? well() : Promise.reject(new Error(outcome)));
      await breaker.run(call, never).catch(() => null);
    }

    expect(breaker.state).toBe('closed');
  });

  test('opens at once when no call can succeed', async () => {
    const breaker = aBreaker();

    await expect(breaker.run(() => Promise.reject(new Error('hopeless')), never)).rejects.toThrow('hopeless');

    expect(breaker.available).toBe(false);
  });

  test('asks for one job when its time is over, and closes with its success', async () => {
    const breaker = aBreaker();
    await breakIt(breaker);
    vi.setSystemTime(Date.now() + 1000);
    expect([breaker.state, breaker.available]).toEqual(['open', true]);
    let finish: (value: string) => void = () => {};

    const probe = breaker.run(() => new Promise<string>((resolve) => (finish = resolve)), never);
    const other = breaker.run(well, never);

    expect([breaker.state, breaker.available]).toEqual(['half-open', false]);
    finish('done');
    expect(await Promise.all([probe, other])).toEqual(['done', 'done']);
    expect([breaker.state, breaker.available]).toEqual(['closed', true]);
  });

  test('stays open twice as long after a failed probe, up to its limit', async () => {
    const breaker = aBreaker();
    await breakIt(breaker);
    const waits: number[] = [];

    for (let at = 0; at < 3; at += 1) {
      vi.setSystemTime(Date.now() + 3000);
      await expect(breaker.run(ill, never)).rejects.toThrow('fault');
      const refused = await breaker.run(well, never).catch((error: unknown) => error);
      if (refused instanceof CircuitOpenError) waits.push(refused.retryAfterMs);
    }

    expect(waits).toEqual([2000, 3000, 3000]);
  });

  test('lets a job that waits for the probe go when it is aborted', async () => {
    const breaker = aBreaker();
    await breakIt(breaker);
    vi.setSystemTime(Date.now() + 1000);
    const abort = new AbortController();
    let finish: (value: string) => void = () => {};
    const probe = breaker.run(() => new Promise<string>((resolve) => (finish = resolve)), never);
    const waiting = breaker.run(well, abort.signal);

    abort.abort(new Error('canceled'));

    await expect(waiting).rejects.toThrow('canceled');
    finish('done');
    expect(await probe).toBe('done');
  });

  test('takes no job while the service asked for a pause', () => {
    const breaker = aBreaker();

    breaker.pause(5000);
    breaker.pause(1000);

    expect([breaker.state, breaker.available]).toEqual(['closed', false]);
    vi.setSystemTime(Date.now() + 5000);
    expect(breaker.available).toBe(true);
  });
});
