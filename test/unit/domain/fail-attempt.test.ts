import { describe, expect, it } from 'vitest';
import { engineFor, type Job } from '../../../src/domain/job.ts';
import { deadlineFailure, failAttempt } from '../../../src/domain/job-endings.ts';
import type { Report } from '../../../src/domain/transition.ts';
import type { Failure } from '../../../src/domain/vocabulary.ts';
import { aFailure, aProcessingJob, INSTANCE, later, NOON, POLICY } from '../../support/builders.ts';

const NEXT: Report = { attempt: 1, runId: INSTANCE, ordinal: 2 };
const PERMANENT = aFailure({ kind: 'AUDIO', code: 'AUDIO_NOT_RECOGNIZED', retryable: false });

const fail = (job: Job, report: Report, failure: Failure, random = 0.5) =>
  failAttempt(job, report, failure, POLICY, NOON, random);

describe('failAttempt', () => {
  it('tries again later what may pass', () => {
    expect(fail(aProcessingJob(), NEXT, aFailure())).toMatchObject({
      ok: true,
      job: { status: 'RETRYING', failures: 1, nextAttemptAt: later(2_500), failure: aFailure() },
    });
  });

  it('obeys the other side’s Retry-After', () => {
    const failure = aFailure({ retryAfterMs: 120_000 });

    expect(fail(aProcessingJob(), NEXT, failure)).toMatchObject({
      ok: true,
      job: { status: 'RETRYING', nextAttemptAt: later(120_000) },
    });
  });

  it('fails at once, and is no dead letter, when trying again would not help', () => {
    expect(fail(aProcessingJob(), NEXT, PERMANENT)).toMatchObject({
      ok: true,
      job: { status: 'FAILED', failure: PERMANENT, finishedAt: NOON, deadLetteredAt: null },
    });
  });

  it('is a dead letter once its attempts are used up', () => {
    const job = aProcessingJob({ failures: 2, maxAttempts: 3 });

    expect(fail(job, NEXT, aFailure())).toMatchObject({
      ok: true,
      job: { status: 'FAILED', failures: 3, failure: aFailure(), deadLetteredAt: NOON },
    });
  });

  it('is a dead letter when its worker was lost too often', () => {
    const job = aProcessingJob({ lostRuns: 3, maxAttempts: 10 });

    expect(fail(job, NEXT, aFailure({ kind: 'WORKER_LOST' }))).toMatchObject({
      ok: true,
      job: { status: 'FAILED', lostRuns: 3, deadLetteredAt: NOON },
    });
  });

  it('fails when the next attempt would begin after its deadline', () => {
    const job = aProcessingJob({ deadline: later(2_500) });

    expect(fail(job, NEXT, aFailure())).toMatchObject({
      ok: true,
      job: { status: 'FAILED', failure: deadlineFailure(aFailure()) },
    });
  });

  it('is canceled, not tried again, when that was asked for', () => {
    const job = aProcessingJob({ cancelRequestedAt: NOON });

    for (const failure of [aFailure(), PERMANENT]) {
      expect(fail(job, NEXT, failure)).toMatchObject({
        ok: true,
        job: { status: 'CANCELED', finishedAt: NOON },
      });
    }
  });

  it('goes to the next engine at once, with its own attempts, when the fault is the engine’s', () => {
    const job = aProcessingJob({ engines: ['WHISPER', 'DEEPGRAM'], failures: 1 });

    const result = fail(job, NEXT, aFailure({ kind: 'ENGINE_REJECTED', retryable: false }));

    expect(result).toMatchObject({
      ok: true,
      job: { status: 'QUEUED', admitted: false, engineIndex: 1, failures: 0 },
    });
    expect(result.ok && engineFor(result.job)).toBe('DEEPGRAM');
  });

  it.each(['FETCH', 'AUDIO', 'NO_SPEECH', 'UNSUPPORTED'] as const)(
    'stays with its engine when the fault is not the engine’s (%s)',
    (kind) => {
      const job = aProcessingJob({ engines: ['WHISPER', 'DEEPGRAM'] });

      expect(fail(job, NEXT, aFailure({ kind, retryable: false }))).toMatchObject({
        ok: true,
        job: { status: 'FAILED', engineIndex: 0 },
      });
    },
  );

  it('has nowhere to go from the last engine', () => {
    const job = aProcessingJob({ engines: ['WHISPER', 'DEEPGRAM'], engineIndex: 1 });

    expect(fail(job, NEXT, aFailure({ kind: 'ENGINE_REJECTED', retryable: false }))).toMatchObject({
      ok: true,
      job: { status: 'FAILED', engineIndex: 1 },
    });
  });
});
