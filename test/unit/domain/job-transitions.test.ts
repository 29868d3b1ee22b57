import { describe, expect, it } from 'vitest';
import { fieldsOf, type Job } from '../../../src/domain/job.ts';
import { failAttempt, releaseAttempt } from '../../../src/domain/job-endings.ts';
import { completeAttempt, continueAttempt, startAttempt } from '../../../src/domain/job-transitions.ts';
import type { Report, Transition } from '../../../src/domain/transition.ts';
import type { Failure } from '../../../src/domain/vocabulary.ts';
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
const FINAL = [aCompletedJob(), aFailedJob(), aCanceledJob()];

const fail = (job: Job, report: Report, failure: Failure, random = 0.5) =>
  failAttempt(job, report, failure, POLICY, NOON, random);

/** Every transition that a run of an attempt causes by an event of its own. */
const REPORTS: readonly {
  readonly name: string;
  readonly apply: (job: Job, report: Report) => Transition;
}[] = [
  { name: 'continueAttempt', apply: (job, report) => continueAttempt(job, report, FURTHER) },
  { name: 'completeAttempt', apply: (job, report) => completeAttempt(job, report, FURTHER, NOON) },
  { name: 'failAttempt', apply: (job, report) => fail(job, report, aFailure()) },
  { name: 'releaseAttempt', apply: (job, report) => releaseAttempt(job, report) },
];

describe('startAttempt', () => {
  const first: Report = { attempt: 1, runId: 'run-b', ordinal: 1 };

  it.each([aScheduledJob(), aQueuedJob(), aQueuedJob({ admitted: false })])(
    'begins the first attempt of a $status job',
    (job) => {
      expect(startAttempt(job, first, aCheckpoint())).toEqual({
        ok: true,
        job: { ...fieldsOf(job), status: 'PROCESSING', attempt: 1, runId: 'run-b', lastOrdinal: 1 },
      });
    },
  );

  it('begins a later attempt where the transcript ends, and keeps what failed before', () => {
    const job = aRetryingJob({ checkpoint: FURTHER });

    expect(startAttempt(job, { ...first, attempt: 2 }, FURTHER)).toMatchObject({
      ok: true,
      job: { status: 'PROCESSING', attempt: 2, failures: 1, lostRuns: 0, checkpoint: FURTHER },
    });
  });

  it('counts a run that never ended as lost, and not as failed', () => {
    expect(startAttempt(aProcessingJob(), { ...first, attempt: 2 }, aCheckpoint())).toMatchObject({
      ok: true,
      job: { attempt: 2, runId: 'run-b', failures: 0, lostRuns: 1 },
    });
  });

  it('may leave numbers out, since a worker that died unheard has used them', () => {
    expect(startAttempt(aQueuedJob(), { ...first, attempt: 4 }, aCheckpoint())).toMatchObject({
      ok: true,
      job: { attempt: 4, failures: 0 },
    });
  });

  it('makes another generation when it begins behind what is stored', () => {
    const behind = aCheckpoint({ segmentCount: 1, checkpointMs: 9_000 });

    expect(
      startAttempt(aRetryingJob({ checkpoint: FURTHER }), { ...first, attempt: 2 }, behind),
    ).toMatchObject({
      ok: true,
      job: { checkpoint: { generation: 1, segmentCount: 1, checkpointMs: 9_000, language: 'en' } },
    });
  });

  it.each([aProcessingJob(), aRetryingJob()])(
    'refuses an attempt that is over or in hand ($status)',
    (job) => {
      expect(startAttempt(job, first, aCheckpoint())).toEqual({ ok: false, refusal: 'STALE' });
    },
  );

  it.each(FINAL)('refuses any attempt of a $status job', (job) => {
    expect(startAttempt(job, { ...first, attempt: 9 }, aCheckpoint())).toEqual({
      ok: false,
      refusal: 'JOB_FINAL',
    });
  });
});

describe.each(REPORTS)('$name', ({ apply }) => {
  it('takes the next event of the run that has the job', () => {
    expect(apply(aProcessingJob(), NEXT)).toMatchObject({ ok: true, job: { attempt: 1, lastOrdinal: 2 } });
  });

  it.each([
    { because: 'a former attempt', change: { attempt: 0 }, refusal: 'STALE' },
    { because: 'an attempt whose start is missing', change: { attempt: 2 }, refusal: 'GAP' },
    { because: 'another run of the attempt', change: { runId: 'run-b' }, refusal: 'NOT_THE_RUN' },
    { because: 'an event that was applied', change: { ordinal: 1 }, refusal: 'STALE' },
    { because: 'an event after a missing one', change: { ordinal: 3 }, refusal: 'GAP' },
  ])('refuses $because', ({ change, refusal }) => {
    expect(apply(aProcessingJob(), { ...NEXT, ...change })).toEqual({ ok: false, refusal });
  });

  it.each(FINAL)('refuses everything once the job is $status', (job) => {
    expect(apply(job, { ...NEXT, ordinal: 5 })).toEqual({ ok: false, refusal: 'JOB_FINAL' });
  });

  it('refuses what follows on the end of its attempt', () => {
    expect(apply(aRetryingJob(), { ...NEXT, ordinal: 5 })).toEqual({ ok: false, refusal: 'STALE' });
    const released = aQueuedJob({ attempt: 1, lastOrdinal: 4, runId: INSTANCE });
    expect(apply(released, { ...NEXT, ordinal: 5 })).toEqual({ ok: false, refusal: 'STALE' });
  });
});

describe('continueAttempt', () => {
  it('moves the checkpoint and keeps the generation, which is the job’s', () => {
    const job = aProcessingJob({ checkpoint: aCheckpoint({ generation: 2 }) });

    expect(continueAttempt(job, NEXT, FURTHER)).toEqual({
      ok: true,
      job: { ...job, lastOrdinal: 2, checkpoint: { ...FURTHER, generation: 2 } },
    });
  });
});

describe('completeAttempt', () => {
  it('ends the job with its last checkpoint', () => {
    const job = aProcessingJob();

    expect(completeAttempt(job, NEXT, FURTHER, NOON)).toEqual({
      ok: true,
      job: { ...fieldsOf(job), status: 'COMPLETED', lastOrdinal: 2, checkpoint: FURTHER, finishedAt: NOON },
    });
  });

  it('wins over a cancel that came too late to stop it', () => {
    expect(completeAttempt(aProcessingJob({ cancelRequestedAt: NOON }), NEXT, FURTHER, NOON)).toMatchObject({
      ok: true,
      job: { status: 'COMPLETED' },
    });
  });
});

describe('releaseAttempt', () => {
  it('lets the job wait again, admitted since its task is still there, and counts nothing', () => {
    const job = aProcessingJob({ failures: 1, lostRuns: 1, checkpoint: FURTHER });

    expect(releaseAttempt(job, NEXT)).toEqual({
      ok: true,
      job: { ...fieldsOf(job), status: 'QUEUED', admitted: true, lastOrdinal: 2 },
    });
  });

  it('leaves a job that was asked to stop to its chain, as another worker may have its task', () => {
    expect(releaseAttempt(aProcessingJob({ cancelRequestedAt: NOON }), NEXT)).toMatchObject({
      ok: true,
      job: { status: 'QUEUED', admitted: true, cancelRequestedAt: NOON },
    });
  });
});
