import { describe, expect, it } from 'vitest';
import { admissionOf, engineFor, fieldsOf, isDeadLetter } from '../../../src/domain/job.ts';
import {
  ADMISSION,
  aCompletedJob,
  aFailedJob,
  aProcessingJob,
  aQueuedJob,
  aRetryingJob,
  NOON,
} from '../../support/builders.ts';

describe('the fields that every status has', () => {
  it('leave out those of one status', () => {
    const job = aRetryingJob();
    const { status: _status, nextAttemptAt: _at, failure: _failure, failureAt: _failureAt, ...fields } = job;

    expect(fieldsOf(job)).toEqual(fields);
  });
});

describe('the engine of a job', () => {
  it.each([
    { engineIndex: 0, engine: 'WHISPER' },
    { engineIndex: 1, engine: 'DEEPGRAM' },
    { engineIndex: 4, engine: 'DEEPGRAM' },
  ] as const)('is $engine at index $engineIndex', ({ engineIndex, engine }) => {
    expect(engineFor({ engines: ['WHISPER', 'DEEPGRAM', 'WHISPER', 'DEEPGRAM'], engineIndex })).toBe(engine);
  });

  it('must exist', () => {
    expect(() => engineFor({ engines: [], engineIndex: 0 })).toThrow('a job has at least one engine');
  });
});

describe('the admission of a job', () => {
  it('exists only while a task may', () => {
    expect(admissionOf(aProcessingJob({ admission: ADMISSION }))).toEqual(ADMISSION);
    expect(admissionOf(aQueuedJob({ admission: null }))).toBeNull();
    expect(admissionOf(aCompletedJob())).toBeNull();
  });
});

describe('a dead letter', () => {
  it('is a failed job that was marked as one', () => {
    expect(isDeadLetter(aFailedJob({ deadLetteredAt: NOON }))).toBe(true);
    expect(isDeadLetter(aFailedJob({ deadLetteredAt: null }))).toBe(false);
    expect(isDeadLetter(aCompletedJob())).toBe(false);
  });
});
