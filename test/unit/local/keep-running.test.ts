import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { KeptRunning } from '../../../src/local/keep-running.ts';
import type { Running } from '../../../src/local/local-service.ts';

vi.mock('../../../src/process/wait.ts', { spy: true });
const { sleep } = await import('../../../src/process/wait.ts');

beforeEach(() => {
  vi.mocked(sleep).mockResolvedValue();
});
afterEach(() => {
  vi.restoreAllMocks();
});

const crashed: Running = { exited: Promise.resolve('exit code 1'), stop: async () => {} };

it('waits longer after each crash in a row, and gives up in the end', async () => {
  const notices: string[] = [];
  let starts = 0;
  const kept = new KeptRunning({
    name: 'Postgres',
    // Every other start fails, which counts as a crash.
    start: async () => {
      starts += 1;
      if (starts % 2 === 0) throw new Error('port taken');
      return crashed;
    },
    onNotice: (text) => notices.push(text),
  });

  expect(await kept.ended).toMatchObject({
    message: 'Postgres crashed 6 times and is given up: port taken',
  });

  expect(starts).toBe(6);
  expect(notices.filter((text) => text.includes('crashed'))).toEqual([
    'Postgres crashed and starts again in 1 s: exit code 1',
    'Postgres crashed and starts again in 2 s: port taken',
    'Postgres crashed and starts again in 4 s: exit code 1',
    'Postgres crashed and starts again in 8 s: port taken',
    'Postgres crashed and starts again in 16 s: exit code 1',
  ]);
});

it('starts counting again after a long run', async () => {
  const notices: string[] = [];
  let now = 0;
  vi.spyOn(Date, 'now').mockImplementation(() => now);
  const kept = new KeptRunning({
    name: 'Postgres',
    start: async () => {
      // The start after the first crash.
      const ranForMs = notices.length === 1 ? 3_600_000 : 0;
      const stop = async () => {
        now += ranForMs;
      };
      return { ...crashed, stop };
    },
    onNotice: (text) => notices.push(text),
  });
  await kept.ended;

  expect(notices.filter((text) => text.includes('in 1 s'))).toHaveLength(2);
});
