import { describe, expect, it } from 'vitest';
import {
  AudioSourceError,
  ConfirmationError,
  IdempotencyError,
  InvalidStateError,
  NotFoundError,
  QuotaExceededError,
  UnavailableError,
  UserError,
  ValidationError,
} from '../../../src/domain/errors.ts';
import { NOON } from '../../support/builders.ts';

describe('an expected error', () => {
  it.each([
    {
      error: new ValidationError([
        { path: ['input', 'tags'], rule: 'max', message: '`tags` must have at most 10 items.' },
        { path: ['input', 'model'], rule: 'min', message: '`model` must have 1 to 100 characters.' },
      ]),
      expected: {
        name: 'ValidationError',
        code: 'INVALID_INPUT',
        message: '`tags` must have at most 10 items. `model` must have 1 to 100 characters.',
        path: ['input', 'tags'],
      },
    },
    {
      error: new ValidationError([], 'UNSUPPORTED'),
      expected: { name: 'ValidationError', code: 'UNSUPPORTED', message: '', path: null },
    },
    {
      error: new NotFoundError('job', 'job_1', ['input', 'id']),
      expected: {
        ...{ name: 'NotFoundError', code: 'NOT_FOUND', message: 'There is no job job_1.' },
        ...{ id: 'job_1', path: ['input', 'id'] },
      },
    },
    {
      error: new NotFoundError('upload', null),
      expected: { message: 'There is no upload.', id: null, path: null },
    },
    {
      error: new InvalidStateError('The job is running.', 'PROCESSING', ['COMPLETED', 'FAILED']),
      expected: {
        ...{ name: 'InvalidStateError', code: 'INVALID_STATE', message: 'The job is running.' },
        ...{ status: 'PROCESSING', allowed: ['COMPLETED', 'FAILED'], path: ['input', 'id'] },
      },
    },
    {
      error: new QuotaExceededError('QUOTA_EXCEEDED', 'Too many hours.', {
        limit: 10,
        used: 11,
        resetAt: NOON,
      }),
      expected: {
        ...{ name: 'QuotaExceededError', code: 'QUOTA_EXCEEDED', message: 'Too many hours.' },
        ...{ limit: 10, used: 11, resetAt: NOON, path: null },
      },
    },
    {
      error: new QuotaExceededError('QUEUE_FULL', 'The queue is full.', { limit: 10, used: 10 }),
      expected: { code: 'QUEUE_FULL', resetAt: null },
    },
    {
      error: new IdempotencyError('IDEMPOTENCY_MISMATCH', 'Another input.', {
        jobId: 'job_1',
        firstUsedAt: NOON,
      }),
      expected: {
        ...{ name: 'IdempotencyError', code: 'IDEMPOTENCY_MISMATCH', message: 'Another input.' },
        ...{ jobId: 'job_1', firstUsedAt: NOON, path: ['input', 'idempotencyKey'] },
      },
    },
    {
      error: new AudioSourceError('AUDIO_TOO_LARGE', 'Too large.', ['input', 'audio', 'url'], {
        maxBytes: 5,
      }),
      expected: {
        ...{ name: 'AudioSourceError', code: 'AUDIO_TOO_LARGE', message: 'Too large.' },
        ...{ path: ['input', 'audio', 'url'], maxBytes: 5, maxDurationSeconds: null, httpStatus: null },
      },
    },
    {
      error: new AudioSourceError('AUDIO_UNREACHABLE', 'No.', [], {
        maxDurationSeconds: 60,
        httpStatus: 404,
      }),
      expected: { maxBytes: null, maxDurationSeconds: 60, httpStatus: 404 },
    },
    {
      error: new AudioSourceError('AUDIO_UNREACHABLE', 'No.', []),
      expected: { maxBytes: null, maxDurationSeconds: null, httpStatus: null },
    },
    {
      error: new ConfirmationError('3 jobs match.', 3),
      expected: {
        ...{ name: 'ConfirmationError', code: 'CONFIRMATION_REQUIRED', message: '3 jobs match.' },
        ...{ matched: 3, path: ['input', 'expectedCount'] },
      },
    },
  ])(
    'carries what a caller needs: $expected.name $expected.code $expected.message',
    ({ error, expected }) => {
      expect(error).toBeInstanceOf(UserError);
      expect(error).toMatchObject(expected);
    },
  );
});

describe('an unavailable part', () => {
  it('names the time after which to retry, 5 s unless stated otherwise', () => {
    const cause = new Error('connection refused');

    expect(new UnavailableError('NATS is down.', { cause })).toMatchObject({
      ...{ name: 'UnavailableError', message: 'NATS is down.', cause, retryAfterSeconds: 5 },
    });
    expect(new UnavailableError('Busy.', { retryAfterSeconds: 1 }).retryAfterSeconds).toBe(1);
  });
});
