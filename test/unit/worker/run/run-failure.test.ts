import { expect, test } from 'vitest';
import { EngineError } from '../../../../worker/engines/engine.ts';
import { failureOf, RunTimeoutError } from '../../../../worker/run/run-failure.ts';
import { aFailure } from '../../../support/builders.ts';

test('an engine’s own failure is passed on unchanged, with the provider’s request', () => {
  const failure = aFailure();
  expect(failureOf(new EngineError(failure, { requestId: 'req-1' }))).toEqual({
    failure,
    requestId: 'req-1',
  });
});

test('an engine from outside needs only the name and the fields of an EngineError', () => {
  const failure = aFailure({ retryAfterMs: 1_500 });
  const error = Object.assign(new Error('x'), { name: 'EngineError', failure, requestId: null });
  expect(failureOf(error).failure).toEqual(failure);
});

test('a failure of an unknown kind, or any other error, counts as an error of the worker', () => {
  const odd = Object.assign(new Error('x'), { name: 'EngineError', failure: { kind: 'ODD' } });
  expect(failureOf(odd).failure).toMatchObject({ kind: 'INTERNAL', code: 'WORKER_FAULT', retryable: true });
  expect(failureOf('text').failure).toMatchObject({ kind: 'INTERNAL', detail: 'text' });
});

test('a text that is too long for a message is cut', () => {
  const long = new EngineError(aFailure({ message: 'm'.repeat(5_000), detail: 'd'.repeat(9_000) }));
  const { failure } = failureOf(long);
  expect([failure.message.length, failure.detail?.length]).toEqual([1_000, 4_096]);
});

test('a run that took too long may be tried again', () => {
  expect(failureOf(new RunTimeoutError(60_000)).failure).toMatchObject({
    kind: 'TIMEOUT',
    retryable: true,
  });
});
