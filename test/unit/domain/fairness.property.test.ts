import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Credits,
  chooseFairly,
  NO_CREDITS,
  PRIORITY_WEIGHTS,
  type WaitingJob,
} from '../../../src/domain/fairness.ts';
import { JOB_PRIORITIES } from '../../../src/domain/vocabulary.ts';

/** The rules in their plainest form, which look at every job for every place. */
function chooseSlowly(
  waiting: readonly WaitingJob[],
  places: number,
  credits: Credits,
): ReturnType<typeof chooseFairly> {
  const owed = { ...credits };
  const running = new Map(waiting.map((job) => [job.tenantId, job.tenantRunning]));
  let left = [...waiting].sort(
    (a, b) => a.queuedAt.getTime() - b.queuedAt.getTime() || (a.id < b.id ? -1 : 1),
  );
  const ids: string[] = [];
  while (ids.length < places) {
    const offers = JOB_PRIORITIES.toReversed().flatMap((priority) => {
      const allowed = left.filter(
        (job) =>
          job.priority === priority &&
          (job.tenantLimit === null || (running.get(job.tenantId) ?? 0) < job.tenantLimit),
      );
      const fewest = Math.min(...allowed.map((job) => running.get(job.tenantId) ?? 0));
      return allowed.find((job) => running.get(job.tenantId) === fewest) ?? [];
    });
    for (const { priority } of offers) owed[priority] += PRIORITY_WEIGHTS[priority];
    const most = Math.max(...offers.map(({ priority }) => owed[priority]));
    const winner = offers.find(({ priority }) => owed[priority] === most);
    if (winner === undefined) break;
    owed[winner.priority] -= offers.reduce((sum, { priority }) => sum + PRIORITY_WEIGHTS[priority], 0);
    running.set(winner.tenantId, (running.get(winner.tenantId) ?? 0) + 1);
    left = left.filter((job) => job !== winner);
    ids.push(winner.id);
  }
  return { ids, credits: owed };
}

const TENANTS = ['ten_a', 'ten_b', 'ten_c', 'ten_d'] as const;

const waitingJobs = fc
  .record({
    tenants: fc.record(
      Object.fromEntries(
        TENANTS.map((id) => [
          id,
          fc.record({
            tenantRunning: fc.nat({ max: 5 }),
            tenantLimit: fc.option(fc.nat({ max: 6 }), { nil: null }),
          }),
        ]),
      ),
    ),
    jobs: fc.uniqueArray(
      fc.record({
        id: fc.nat({ max: 999 }).map((n) => `job_${n}`),
        tenantId: fc.constantFrom(...TENANTS),
        priority: fc.constantFrom(...JOB_PRIORITIES),
        // Few, so that ids have to break ties.
        queuedAt: fc.nat({ max: 9 }).map((second) => new Date(second * 1000)),
      }),
      { selector: (job) => job.id, maxLength: 40 },
    ),
  })
  .map(({ tenants, jobs }) =>
    jobs.map((job) => ({
      ...job,
      ...(tenants[job.tenantId] ?? { tenantRunning: 0, tenantLimit: null }),
    })),
  );

const credits = fc.record({
  CRITICAL: fc.integer({ min: -15, max: 15 }),
  HIGH: fc.integer({ min: -15, max: 15 }),
  NORMAL: fc.integer({ min: -15, max: 15 }),
  LOW: fc.integer({ min: -15, max: 15 }),
});

describe('chooseFairly', () => {
  it('chooses as the plain rules do, in any order of its input', () => {
    fc.assert(
      fc.property(waitingJobs, fc.nat({ max: 45 }), credits, (waiting, places, owed) => {
        expect(chooseFairly(waiting, places, owed)).toEqual(chooseSlowly(waiting, places, owed));
      }),
      { numRuns: 500 },
    );
  });

  it('changes neither its jobs nor its credits', () => {
    fc.assert(
      fc.property(waitingJobs, fc.nat({ max: 45 }), credits, (waiting, places, owed) => {
        const before = structuredClone({ waiting, owed });

        chooseFairly(waiting, places, owed);

        expect({ waiting, owed }).toEqual(before);
      }),
    );
  });

  it('chooses the same whether places become free at once or one at a time, while nothing else changes', () => {
    const jobs = JOB_PRIORITIES.flatMap((priority) =>
      Array.from({ length: 20 }, (_, n) => ({
        id: `${priority}_${String(n).padStart(2, '0')}`,
        tenantId: 'ten_a',
        priority,
        queuedAt: new Date(n * 1000),
        tenantRunning: 0,
        tenantLimit: null,
      })),
    );
    const singly: string[] = [];
    let owed = NO_CREDITS;
    for (let place = 0; place < 30; place += 1) {
      const choice = chooseFairly(
        jobs.filter((job) => !singly.includes(job.id)),
        1,
        owed,
      );
      singly.push(...choice.ids);
      owed = choice.credits;
    }

    expect(singly).toEqual(chooseFairly(jobs, 30, NO_CREDITS).ids);
  });
});
