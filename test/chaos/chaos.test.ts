import { expect, inject, test } from 'vitest';
import { toTable } from './report.ts';
import { runChaos } from './run-chaos.ts';

const MINUTES = 2;
const LIMIT_MS = 480_000;

test(
  'loses nothing and repeats nothing in two minutes of kills, freezes and outages',
  async () => {
    const { report, directory } = await runChaos({
      minutes: MINUTES,
      seed: 1,
      jobs: 40,
      workers: 3,
      calmMinutes: 4,
      natsBinary: inject('natsServerBinary'),
      onProgress: () => undefined,
    });

    expect(report.breaches, `${toTable(report)}\nlogs and events: ${directory}`).toEqual([]);
    expect(report.jobs.submitted).toBe(40);
    expect(report.faults['worker.SIGKILL']).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
