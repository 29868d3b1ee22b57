import { pino } from 'pino';
import { expect, it } from 'vitest';
import { Loop } from '../../../src/process/loop.ts';

const HOUR_MS = 3_600_000;

/** A loop over a step, and how often it ran; stops when the test says so. */
function start(step: (run: number) => Promise<void> | void, intervalMs = HOUR_MS) {
  const stop = new AbortController();
  const runs: number[] = [];
  const warnings: unknown[] = [];
  const loop = new Loop({
    name: 'test',
    intervalMs,
    log: pino({ level: 'warn' }, { write: (line: string) => warnings.push(JSON.parse(line)) }),
    step: async () => {
      runs.push(runs.length + 1);
      await step(runs.length);
    },
  });
  const running = loop.run(stop.signal);
  const end = async () => {
    stop.abort();
    await running;
  };
  return { loop, runs, warnings, end };
}

it('runs a step at once, after each wake, and after the interval', async () => {
  const patient = start(() => {});
  const quick = start(() => {}, 5);
  await expect.poll(() => patient.runs.length).toBe(1);
  patient.loop.wake();
  await expect.poll(() => patient.runs.length).toBe(2);
  await expect.poll(() => quick.runs.length).toBeGreaterThan(2);

  await Promise.all([patient.end(), quick.end()]);
  expect(patient.runs).toHaveLength(2);
});

it('runs one more step for all wakes during a step', async () => {
  const { loop, runs, end } = start((run) => {
    if (run > 1) return;
    loop.wake();
    loop.wake();
  });

  await expect.poll(() => runs.length).toBe(2);
  await end();
  expect(runs).toHaveLength(2);
});

it('logs a failed step and tries again after a while', async () => {
  const { runs, warnings, end } = start((run) => {
    if (run <= 2) throw new Error('database away');
  });

  await expect.poll(() => runs.length, { timeout: 5000 }).toBe(3);
  await end();
  expect(warnings).toMatchObject([{ loop: 'test', err: { message: 'database away' } }, { loop: 'test' }]);
});

it('does not report a step that failed because the loop was stopped', async () => {
  let fail: (error: Error) => void = () => {};
  const { warnings, end } = start(
    () =>
      new Promise((_, reject) => {
        fail = reject;
      }),
  );
  const ended = end();
  fail(new Error('the connection was closed'));

  await ended;
  expect(warnings).toEqual([]);
});
