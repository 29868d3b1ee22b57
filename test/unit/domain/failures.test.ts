import { describe, expect, it } from 'vitest';
import { deadlineFailure, fingerprintOf, poisonFailure } from '../../../src/domain/failures.ts';
import { aFailure, JOB_ID } from '../../support/builders.ts';

describe('the failures that the lifecycle makes itself', () => {
  it.each([poisonFailure(3), deadlineFailure(null), deadlineFailure(aFailure())])(
    'are not tried again, and give the user a reason ($code)',
    (failure) => {
      expect(failure.retryable).toBe(false);
      expect(failure.code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
      expect(failure.message).toMatch(/^[A-Z].*\.$/);
    },
  );

  it('include the cause of the last failure when the deadline ends the job', () => {
    expect(deadlineFailure(aFailure()).message).toContain(aFailure().message);
  });
});

describe('the fingerprint of a failure', () => {
  const fingerprint = (message: string, code = 'SOURCE_UNAVAILABLE') =>
    fingerprintOf(aFailure({ code, message }));

  it.each([
    ['addresses', 'No answer from https://a.example/x?y=1.', 'No answer from http://b.example/.'],
    ['ids', `Job ${JOB_ID} is gone.`, `Job job_${'0'.repeat(32)} is gone.`],
    ['numbers', 'It took 1.5 of 30 seconds.', 'It took 29 of 7.25 seconds.'],
  ])('ignores %s', (_what, a, b) => {
    expect(fingerprint(a)).toBe(fingerprint(b));
  });

  it('differs by code and by cause', () => {
    expect(fingerprint('It failed.')).not.toBe(fingerprint('It failed.', 'SOURCE_GONE'));
    expect(fingerprint('It failed.')).not.toBe(fingerprint('It broke.'));
  });
});
