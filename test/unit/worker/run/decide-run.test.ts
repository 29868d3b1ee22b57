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

test('the first task of a job starts the first attempt, at the start of the chain', () => {
  expect(decide(null)).toEqual({
    action: 'run',
    plan: { attempt: 1, lostRuns: 0, checkpoint: aCheckpoint(), expectedSequence: 0 },
  });
});

test('a task of a completed or canceled job is dropped, whatever its attempt', () => {
  expect(decide(aCompletedEvent(), { task: task(5) }).action).toBe('drop');
  expect(decide(anEndingEvent('canceled'), { task: task(5) }).action).toBe('drop');
});

test('a task of a failed attempt is dropped, and a task of the next attempt runs', () => {
  const failed = aFailedEvent(aFailure(), { attempt: 1, lostRuns: 1 });
  expect(decide(failed).action).toBe('drop');
  expect(decide(failed, { task: task(2) })).toMatchObject({
    action: 'run',
    plan: { attempt: 2, lostRuns: 1, expectedSequence: 7 },
  });
});

test('a retry by hand of a job that failed for good starts without lost runs', () => {
  const failed = aFailedEvent(aFailure({ retryable: false }), { lostRuns: 3 });
  expect(decide(failed, { task: task(2) })).toMatchObject({ action: 'run', plan: { lostRuns: 0 } });
});

test('a released job continues in the next attempt, without a lost run', () => {
  expect(decide(anEndingEvent('released'))).toMatchObject({
    action: 'run',
    plan: { attempt: 2, lostRuns: 0 },
  });
});

test('a job with a lost run continues, until it has lost too many', () => {
  expect(decide(anEndingEvent('lost', { lostRuns: 1 }))).toMatchObject({
    action: 'run',
    plan: { attempt: 2, lostRuns: 1 },
  });
  expect(decide(anEndingEvent('lost', { lostRuns: 3 })).action).toBe('drop');
});

test('a run that did not end is checked for activity before it is taken over', () => {
  expect(decide(aStartedEvent())).toEqual({ action: 'checkActivity' });
  expect(decide(aStartedEvent(), { isOtherRunActive: false })).toMatchObject({
    action: 'run',
    plan: { attempt: 2, lostRuns: 1, expectedSequence: 7 },
  });
});

test('an active run keeps its job, and only a first delivery is acknowledged beside it', () => {
  expect(decide(aStartedEvent(), { isOtherRunActive: true }).action).toBe('drop');
  expect(decide(aStartedEvent(), { isOtherRunActive: true, deliveredCount: 2 }).action).toBe('leave');
});

test('the third lost run makes a job fail', () => {
  const started = aStartedEvent({ attempt: 3, lostRuns: 2 });
  expect(decide(started, { isOtherRunActive: false })).toMatchObject({
    action: 'fail',
    plan: { attempt: 4, lostRuns: 3 },
  });
});

test('a requested cancel wins over a start and over a failure', () => {
  expect(decide(null, { cancelRequested: true }).action).toBe('cancel');
  const started = aStartedEvent({ lostRuns: 2 });
  expect(decide(started, { isOtherRunActive: false, cancelRequested: true }).action).toBe('cancel');
  expect(decide(aCompletedEvent(), { cancelRequested: true }).action).toBe('drop');
});

test('a run continues at the furthest checkpoint of its generation', () => {
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

test('attempts rise along the chain, also with an old task', () => {
  expect(decide(anEndingEvent('released', { attempt: 6 }), { task: task(2) })).toMatchObject({
    plan: { attempt: 7 },
  });
  expect(decide(anEndingEvent('released', { attempt: 1 }), { task: task(4) })).toMatchObject({
    plan: { attempt: 4 },
  });
});

test('a task is left alone while the last event of its job cannot be read', () => {
  const unreadable = { last: { event: null, sequence: 7 } };
  expect(decide(null, unreadable)).toEqual({ action: 'leave', reason: 'its last event cannot be read' });
  expect(decide(null, { ...unreadable, cancelRequested: true }).action).toBe('leave');
});

test('a run whose last event is opaque has not ended', () => {
  const opaque: EventMessage = { ...anEndingEvent('canceled'), type: 'opaque', unknownType: 'paused' };
  expect(decide(opaque)).toEqual({ action: 'checkActivity' });
  expect(decide(opaque, { isOtherRunActive: false })).toMatchObject({ action: 'run', plan: { attempt: 2 } });
});

test.each([
  { last: aCompletedEvent(), reason: 'the job is completed' },
  { last: anEndingEvent('canceled'), reason: 'the job is canceled' },
  { last: aFailedEvent(aFailure()), reason: 'attempt 1 failed; the server decides about the next' },
  { last: anEndingEvent('lost', { lostRuns: 3 }), reason: 'the job lost too many runs' },
])('a dropped task has a reason for the log ($reason)', ({ last, reason }) => {
  expect(decide(last)).toEqual({ action: 'drop', reason });
});

test('a job with too many lost runs goes on when the server gives it a task of a later attempt', () => {
  const lost = anEndingEvent('lost', { lostRuns: 3 });
  expect(decide(lost, { task: task(2) })).toMatchObject({ action: 'run', plan: { lostRuns: 0 } });
});

test('of two checkpoints with as many segments, the one further in the recording counts', () => {
  const stored = aStartedEvent({ segmentCount: 2, checkpointMs: 8_000, language: null });
  const resumeAt = (checkpointMs: number) =>
    decide(stored, {
      isOtherRunActive: false,
      task: task(1, aCheckpoint({ segmentCount: 2, checkpointMs, language: 'en' })),
    });
  expect(resumeAt(7_000)).toMatchObject({ plan: { checkpoint: { checkpointMs: 8_000, language: 'en' } } });
  expect(resumeAt(8_000)).toMatchObject({ plan: { checkpoint: { checkpointMs: 8_000, language: 'en' } } });
  expect(resumeAt(9_000)).toMatchObject({ plan: { checkpoint: { checkpointMs: 9_000, language: 'en' } } });
});
