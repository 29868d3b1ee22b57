import { expect, test } from 'vitest';
import type { EventMessage } from '../../../../src/contract/messages.ts';
import { decideRun, type Situation } from '../../../../worker/run/decide-run.ts';
import {
  aCheckpoint,
  aCompletedEvent,
  aFailedEvent,
  aFailure,
  anEndingEvent,
  aSegment,
  aSegmentsEvent,
  aStartedEvent,
  aTask,
} from '../../../support/builders.ts';

function decide(last: EventMessage | null, change: Partial<Situation> = {}) {
  return decideRun({
    task: aTask(),
    deliveredCount: 1,
    last: last === null ? null : { event: last, sequence: 7 },
    cancelRequested: false,
    isOtherRunActive: null,
    ...change,
  });
}

const task = (attempt: number, resume = aCheckpoint()) => aTask({ attempt, resume });

test('the first task of a job starts its first attempt at the chain’s beginning', () => {
  expect(decide(null)).toEqual({
    action: 'run',
    plan: { attempt: 1, lostRuns: 0, checkpoint: aCheckpoint(), expectedSequence: 0 },
  });
});

test('a task of a job that is completed or canceled is forgotten, whatever its attempt', () => {
  expect(decide(aCompletedEvent(), { task: task(5) }).action).toBe('drop');
  expect(decide(anEndingEvent('canceled'), { task: task(5) }).action).toBe('drop');
});

test('a task of an attempt that failed is forgotten, and that of the next one runs', () => {
  const failed = aFailedEvent(aFailure(), { attempt: 1, lostRuns: 1 });
  expect(decide(failed).action).toBe('drop');
  expect(decide(failed, { task: task(2) })).toMatchObject({
    action: 'run',
    plan: { attempt: 2, lostRuns: 1, expectedSequence: 7 },
  });
});

test('a retry by hand of a job that failed for good starts with no lost workers', () => {
  const failed = aFailedEvent(aFailure({ retryable: false }), { lostRuns: 3 });
  expect(decide(failed, { task: task(2) })).toMatchObject({ action: 'run', plan: { lostRuns: 0 } });
});

test('a released job goes on in the next attempt, without a lost worker', () => {
  expect(decide(anEndingEvent('released'))).toMatchObject({
    action: 'run',
    plan: { attempt: 2, lostRuns: 0 },
  });
});

test('a job that the server gave up for lost goes on, until it was lost too often', () => {
  expect(decide(anEndingEvent('lost', { lostRuns: 1 }))).toMatchObject({
    action: 'run',
    plan: { attempt: 2, lostRuns: 1 },
  });
  expect(decide(anEndingEvent('lost', { lostRuns: 3 })).action).toBe('drop');
});

test('a run that did not end is listened for before it is taken over', () => {
  expect(decide(aStartedEvent())).toEqual({ action: 'checkActivity' });
  expect(decide(aStartedEvent(), { isOtherRunActive: false })).toMatchObject({
    action: 'run',
    plan: { attempt: 2, lostRuns: 1, expectedSequence: 7 },
  });
});

test('a run that lives is left alone, and only a first delivery is acknowledged away from it', () => {
  expect(decide(aStartedEvent(), { isOtherRunActive: true }).action).toBe('drop');
  expect(decide(aStartedEvent(), { isOtherRunActive: true, deliveredCount: 2 }).action).toBe('leave');
});

test('the third worker lost on a job makes it poison', () => {
  const started = aStartedEvent({ attempt: 3, lostRuns: 2 });
  expect(decide(started, { isOtherRunActive: false })).toMatchObject({
    action: 'fail',
    plan: { attempt: 4, lostRuns: 3 },
  });
});

test('a cancel that was asked for wins over a start and over giving up', () => {
  expect(decide(null, { cancelRequested: true }).action).toBe('cancel');
  const started = aStartedEvent({ lostRuns: 2 });
  expect(decide(started, { isOtherRunActive: false, cancelRequested: true }).action).toBe('cancel');
  expect(decide(aCompletedEvent(), { cancelRequested: true }).action).toBe('drop');
});

test('a run continues at what is stored most', () => {
  const stored = aSegmentsEvent([aSegment({ index: 4, endMs: 9_000 })], { language: 'de' });
  const resumed = decide(stored, { isOtherRunActive: false });
  expect(resumed).toMatchObject({
    plan: { checkpoint: { segmentCount: 5, checkpointMs: 9_000, language: 'de' } },
  });
  const ordered = aCheckpoint({ segmentCount: 8, checkpointMs: 20_000 });
  expect(decide(stored, { isOtherRunActive: false, task: task(1, ordered) })).toMatchObject({
    plan: { checkpoint: ordered },
  });
  const startOver = aCheckpoint({ generation: 1 });
  expect(decide(stored, { isOtherRunActive: false, task: task(1, startOver) })).toMatchObject({
    plan: { checkpoint: startOver },
  });
});

test('attempts rise along the chain, however old the task is', () => {
  expect(decide(anEndingEvent('released', { attempt: 6 }), { task: task(2) })).toMatchObject({
    plan: { attempt: 7 },
  });
  expect(decide(anEndingEvent('released', { attempt: 1 }), { task: task(4) })).toMatchObject({
    plan: { attempt: 4 },
  });
});
