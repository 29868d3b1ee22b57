import { describe, expect, it } from 'vitest';
import { fieldsOf, type Job } from '../../../src/domain/job.ts';
import {
  cancelAttempt,
  deadlineFailure,
  endWaiting,
  loseAttempt,
  poisonFailure,
} from '../../../src/domain/job-endings.ts';
import { retryByHand } from '../../../src/domain/job-transitions.ts';
import type { Report } from '../../../src/domain/transition.ts';
import {
  aCanceledJob,
  aCheckpoint,
  aCompletedJob,
  aFailedJob,
  aFailure,
  aProcessingJob,
  aQueuedJob,
  aRetryingJob,
  aScheduledJob,
  INSTANCE,
  NOON,
  POLICY,
} from '../../support/builders.ts';

const NEXT: Report = { attempt: 1, runId: INSTANCE, ordinal: 2 };
const FURTHER = aCheckpoint({ segmentCount: 3, checkpointMs: 30_000, language: 'en' });
const WAITING = [aScheduledJob(), aQueuedJob(), aQueuedJob({ admitted: false }), aRetryingJob()];
const FINAL = [aCompletedJob(), aFailedJob(), aCanceledJob()];

describe('loseAttempt', () => {
  const byServer: Report = { attempt: 1, runId: 'server-1', ordinal: 2 };
  const lose = (job: Job, report: Report = byServer) => loseAttempt(job, report, POLICY, NOON);

  it('lets the job wait again, and counts as lost but not as failed', () => {
    expect(lose(aProcessingJob({ failures: 1, lostRuns: 1 }))).toMatchObject({
      ok: true,
      job: { status: 'QUEUED', admitted: true, failures: 1, lostRuns: 2, lastOrdinal: 2 },
    });
  });

  it('gives a job up whose worker was lost too often', () => {
    expect(lose(aProcessingJob({ lostRuns: 2 }))).toMatchObject({
      ok: true,
      job: { status: 'FAILED', failure: poisonFailure(3), deadLetteredAt: NOON, finishedAt: NOON },
    });
  });

  it('takes no attempt from a job whose worker vanished, however few it has', () => {
    const lost = lose(aProcessingJob({ failures: 2, maxAttempts: 3 }));
    expect(lost).toMatchObject({ ok: true, job: { status: 'QUEUED', failures: 2, lostRuns: 1 } });
  });

  it('leaves a job that was asked to stop to its chain, even if it is poison', () => {
    expect(lose(aProcessingJob({ lostRuns: 2, cancelRequestedAt: NOON }))).toMatchObject({
      ok: true,
      job: { status: 'QUEUED', cancelRequestedAt: NOON },
    });
  });

  it.each([
    { because: 'another attempt', job: aProcessingJob({ attempt: 2 }) },
    { because: 'a job that waits', job: aRetryingJob() },
    {
      because: 'a job that was released',
      job: aQueuedJob({ attempt: 1, lastOrdinal: 4, runId: INSTANCE }),
    },
  ])('refuses $because', ({ job }) => {
    expect(lose(job)).toEqual({ ok: false, refusal: 'STALE' });
  });

  it.each(FINAL)('refuses a $status job', (job) => {
    expect(lose(job)).toEqual({ ok: false, refusal: 'JOB_FINAL' });
  });
});

describe('cancelAttempt', () => {
  it('ends the run that was told to let go', () => {
    const job = aProcessingJob({ cancelRequestedAt: NOON, checkpoint: FURTHER });

    expect(cancelAttempt(job, NEXT, NOON)).toMatchObject({
      ok: true,
      job: { status: 'CANCELED', attempt: 1, lastOrdinal: 2, checkpoint: FURTHER, finishedAt: NOON },
    });
  });

  it('ends a job that no worker ever had', () => {
    expect(cancelAttempt(aQueuedJob(), { attempt: 1, runId: 'run-b', ordinal: 1 }, NOON)).toMatchObject({
      ok: true,
      job: { status: 'CANCELED', finishedAt: NOON },
    });
  });

  it('ends a job between two attempts, after the last event of the former', () => {
    const job = aQueuedJob({ attempt: 1, lastOrdinal: 4, runId: INSTANCE, cancelRequestedAt: NOON });

    expect(cancelAttempt(job, { attempt: 1, runId: 'server-1', ordinal: 5 }, NOON)).toMatchObject({
      ok: true,
      job: { status: 'CANCELED', attempt: 1, lastOrdinal: 5 },
    });
  });

  it('refuses a former attempt', () => {
    expect(cancelAttempt(aProcessingJob({ attempt: 2 }), NEXT, NOON)).toEqual({
      ok: false,
      refusal: 'STALE',
    });
  });

  it.each(FINAL)('refuses a $status job', (job) => {
    expect(cancelAttempt(job, { ...NEXT, ordinal: 5 }, NOON)).toEqual({ ok: false, refusal: 'JOB_FINAL' });
  });
});

describe('endWaiting', () => {
  it.each(WAITING)('cancels a $status job without a run', (job) => {
    expect(endWaiting(job, { failure: null }, NOON)).toEqual({
      ...fieldsOf(job),
      status: 'CANCELED',
      finishedAt: NOON,
    });
  });

  it('fails a job whose time ran out, which is no dead letter', () => {
    const failure = deadlineFailure(null);

    expect(endWaiting(aQueuedJob(), { failure }, NOON)).toEqual({
      ...fieldsOf(aQueuedJob()),
      status: 'FAILED',
      finishedAt: NOON,
      failure,
      deadLetteredAt: null,
    });
  });
});

describe('retryByHand', () => {
  const failed = aFailedJob({
    engines: ['WHISPER', 'DEEPGRAM'],
    engineIndex: 1,
    failures: 3,
    lostRuns: 2,
    deadline: NOON,
    checkpoint: FURTHER,
  });

  it('queues the same job with a fresh allowance, behind the attempts it had', () => {
    expect(retryByHand(failed, { startOver: false })).toEqual({
      ...fieldsOf(failed),
      status: 'QUEUED',
      admitted: false,
      failures: 0,
      lostRuns: 0,
      engineIndex: 0,
      deadline: null,
    });
  });

  it('throws the transcript away when told to start over', () => {
    expect(retryByHand(failed, { startOver: true }).checkpoint).toEqual(aCheckpoint({ generation: 1 }));
  });
});

describe('the failures that the lifecycle makes itself', () => {
  it.each([poisonFailure(3), deadlineFailure(null), deadlineFailure(aFailure())])(
    'are not tried again, and tell the user why ($code)',
    (failure) => {
      expect(failure.retryable).toBe(false);
      expect(failure.code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
      expect(failure.message).toMatch(/^[A-Z].*\.$/);
    },
  );

  it('say what the last attempt died of when the deadline ends the job', () => {
    expect(deadlineFailure(aFailure()).message).toContain(aFailure().message);
  });
});
