import { describe, expect, it } from 'vitest';
import { NO_CREDITS, type WaitingJob } from '../../../src/domain/fairness.ts';
import { admitFairly, readyTargetFor, waitForNext } from '../../../src/leader/admission.ts';
import type { JobSchedule } from '../../../src/storage/job-schedule.ts';
import { later, NOON } from '../../support/builders.ts';

describe('the tasks that may wait in JetStream', () => {
  it.each([
    { slots: 0, target: 4 },
    { slots: 2, target: 4 },
    { slots: 3, target: 6 },
    { slots: 500, target: 1000 },
    { slots: 501, target: 1000 },
  ])('are $target for $slots slots', ({ slots, target }) => {
    expect(readyTargetFor(slots)).toBe(target);
  });
});

describe('the next look for due jobs', () => {
  it.each([
    { because: 'nothing is due later', nextDueAt: null, waitMs: null },
    { because: 'more are due already', nextDueAt: later(-5_000), waitMs: 50 },
    { because: 'one is due soon', nextDueAt: later(1_500), waitMs: 1_500 },
    { because: 'the loop comes by earlier', nextDueAt: later(10_000), waitMs: null },
  ])('comes in $waitMs ms when $because', ({ nextDueAt, waitMs }) => {
    expect(waitForNext(nextDueAt, NOON)).toBe(waitMs);
  });
});

describe('a round of admission', () => {
  const REQUEST = { queue: 'whisper', readyTarget: 4, now: NOON } as const;
  const WAITING: readonly WaitingJob[] = (['LOW', 'CRITICAL'] as const).map((priority) => ({
    ...{ id: `job_${priority}`, tenantId: 'ten_a', priority, queuedAt: NOON },
    ...{ tenantRunning: 0, tenantLimit: null },
  }));

  function scheduleWith(places: number) {
    const admitted: (readonly string[])[] = [];
    const schedule = {
      freePlaces: async () => places,
      candidates: async () => WAITING,
      admit: async (ids: readonly string[]) => {
        admitted.push(ids);
        return ids.map((id) => ({ id }));
      },
    } as unknown as JobSchedule;
    return { schedule, admitted };
  }

  it('admits what the fair choice gives, and keeps its credits', async () => {
    const { schedule } = scheduleWith(1);

    const { jobs, credits } = await admitFairly(schedule, REQUEST, NO_CREDITS);

    expect(jobs.map(({ id }) => id)).toEqual(['job_CRITICAL']);
    expect(credits).toEqual({ CRITICAL: -1, HIGH: 0, NORMAL: 0, LOW: 1 });
  });

  it('looks for no candidates while there is no free place', async () => {
    const { schedule, admitted } = scheduleWith(0);

    expect(await admitFairly(schedule, REQUEST, NO_CREDITS)).toEqual({ jobs: [], credits: NO_CREDITS });
    expect(admitted).toEqual([]);
  });
});
