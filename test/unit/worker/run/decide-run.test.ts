import { expect, test } from 'vitest';
import type { FactMessage } from '../../../../src/contract/messages.ts';
import { decideAttempt, type Situation } from '../../../../worker/run/decide-run.ts';
import {
  aCheckpoint,
  aCompletedFact,
  aFailedFact,
  aFailure,
  anEndingFact,
  anOrder,
  aSegment,
  aSegmentsFact,
  aStartedFact,
} from '../../../support/builders.ts';

function decide(last: FactMessage | null, change: Partial<Situation> = {}) {
  return decideAttempt({
    order: anOrder(),
    deliveredCount: 1,
    last: last === null ? null : { fact: last, sequence: 7 },
    cancelRequested: false,
    otherRun: 'unknown',
    ...change,
  });
}

const order = (attempt: number, resume = aCheckpoint()) => anOrder({ attempt, resume });

test('the first order of a job starts its first attempt at the chain’s beginning', () => {
  expect(decide(null)).toEqual({
    action: 'run',
    plan: { attempt: 1, lostAttempts: 0, checkpoint: aCheckpoint(), expectedSequence: 0 },
  });
});

test('an order of a job that is completed or canceled is forgotten, whatever its attempt', () => {
  expect(decide(aCompletedFact(), { order: order(5) }).action).toBe('forget');
  expect(decide(anEndingFact('canceled'), { order: order(5) }).action).toBe('forget');
});

test('an order of an attempt that failed is forgotten, and that of the next one runs', () => {
  const failed = aFailedFact(aFailure(), { attempt: 1, lostAttempts: 1 });
  expect(decide(failed).action).toBe('forget');
  expect(decide(failed, { order: order(2) })).toMatchObject({
    action: 'run',
    plan: { attempt: 2, lostAttempts: 1, expectedSequence: 7 },
  });
});

test('a retry by hand of a job that failed for good starts with no lost workers', () => {
  const failed = aFailedFact(aFailure({ retryable: false }), { lostAttempts: 3 });
  expect(decide(failed, { order: order(2) })).toMatchObject({ action: 'run', plan: { lostAttempts: 0 } });
});

test('a released job goes on in the next attempt, without a lost worker', () => {
  expect(decide(anEndingFact('released'))).toMatchObject({
    action: 'run',
    plan: { attempt: 2, lostAttempts: 0 },
  });
});

test('a job that the server gave up for lost goes on, until it was lost too often', () => {
  expect(decide(anEndingFact('lost', { lostAttempts: 1 }))).toMatchObject({
    action: 'run',
    plan: { attempt: 2, lostAttempts: 1 },
  });
  expect(decide(anEndingFact('lost', { lostAttempts: 3 })).action).toBe('forget');
});

test('a run that did not end is listened for before it is taken over', () => {
  expect(decide(aStartedFact())).toEqual({ action: 'lookForLife' });
  expect(decide(aStartedFact(), { otherRun: 'silent' })).toMatchObject({
    action: 'run',
    plan: { attempt: 2, lostAttempts: 1, expectedSequence: 7 },
  });
});

test('a run that lives is left alone, and only a first delivery is acknowledged away from it', () => {
  expect(decide(aStartedFact(), { otherRun: 'alive' }).action).toBe('forget');
  expect(decide(aStartedFact(), { otherRun: 'alive', deliveredCount: 2 }).action).toBe('leave');
});

test('the third worker lost on a job makes it poison', () => {
  const started = aStartedFact({ attempt: 3, lostAttempts: 2 });
  expect(decide(started, { otherRun: 'silent' })).toMatchObject({
    action: 'giveUp',
    plan: { attempt: 4, lostAttempts: 3 },
  });
});

test('a cancel that was asked for wins over a start and over giving up', () => {
  expect(decide(null, { cancelRequested: true }).action).toBe('cancel');
  const started = aStartedFact({ lostAttempts: 2 });
  expect(decide(started, { otherRun: 'silent', cancelRequested: true }).action).toBe('cancel');
  expect(decide(aCompletedFact(), { cancelRequested: true }).action).toBe('forget');
});

test('a run continues at what is stored most', () => {
  const stored = aSegmentsFact([aSegment({ index: 4, endMs: 9_000 })], { language: 'de' });
  const resumed = decide(stored, { otherRun: 'silent' });
  expect(resumed).toMatchObject({
    plan: { checkpoint: { segmentCount: 5, checkpointMs: 9_000, language: 'de' } },
  });
  const ordered = aCheckpoint({ segmentCount: 8, checkpointMs: 20_000 });
  expect(decide(stored, { otherRun: 'silent', order: order(1, ordered) })).toMatchObject({
    plan: { checkpoint: ordered },
  });
  const startOver = aCheckpoint({ generation: 1 });
  expect(decide(stored, { otherRun: 'silent', order: order(1, startOver) })).toMatchObject({
    plan: { checkpoint: startOver },
  });
});

test('attempts rise along the chain, however old the order is', () => {
  expect(decide(anEndingFact('released', { attempt: 6 }), { order: order(2) })).toMatchObject({
    plan: { attempt: 7 },
  });
  expect(decide(anEndingFact('released', { attempt: 1 }), { order: order(4) })).toMatchObject({
    plan: { attempt: 4 },
  });
});
