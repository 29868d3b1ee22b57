import { describe, expect, it } from 'vitest';
import { deadlineFailure, poisonFailure } from '../../../src/domain/failures.ts';
import { engineFor, fieldsOf, type Job } from '../../../src/domain/job.ts';
import { advance } from '../../../src/domain/lifecycle.ts';
import type { LifecycleEvent } from '../../../src/domain/lifecycle-events.ts';
import type { Failure } from '../../../src/domain/vocabulary.ts';
import {
  ADMISSION,
  AT_NOON,
  aCheckpoint,
  aCompletedEvent,
  aFailedEvent,
  aFailure,
  anAudioEvent,
  anEndingEvent,
  aProcessingJob,
  aQueuedJob,
  aRetryingJob,
  aScheduledJob,
  aSegment,
  aSegmentsEvent,
  aStartedEvent,
  END,
  INSTANCE,
  later,
  NOON,
} from '../../support/builders.ts';

/** What the events of runs do to a job; lifecycle.test.ts has which of them count. */

const FURTHER = aCheckpoint({ segmentCount: 3, checkpointMs: 30_000, language: 'en' });

function moved(job: Job, event: LifecycleEvent): Job {
  const transition = advance(job, event, AT_NOON);
  if (!transition.ok) throw new Error(`refused: ${transition.refusal}`);
  return transition.job;
}

describe('a run that starts', () => {
  const start = aStartedEvent({ runId: 'run-b' });
  const unadmitted = { admittedAt: NOON, taskSequence: null };

  it.each([
    { job: aScheduledJob(), admission: unadmitted },
    { job: aQueuedJob({ admission: null }), admission: unadmitted },
    { job: aQueuedJob(), admission: ADMISSION },
  ])('opens the first attempt of a $job.status job, which counts as admitted', ({ job, admission }) => {
    expect(moved(job, start)).toEqual({
      ...fieldsOf(job),
      ...{ status: 'PROCESSING', attempt: 1, runId: 'run-b', lastOrdinal: 1, startedAt: NOON },
      admission,
    });
  });

  it('opens a later attempt where the transcript ends, and keeps what failed before', () => {
    const job = aRetryingJob({ checkpoint: FURTHER, startedAt: later(-9) });

    expect(moved(job, { ...start, attempt: 2, ...FURTHER })).toMatchObject({
      ...{ status: 'PROCESSING', attempt: 2, failures: 1, lostRuns: 0, checkpoint: FURTHER },
      startedAt: later(-9),
    });
  });

  it('counts a run that never ended as lost, and not as failed', () => {
    expect(moved(aProcessingJob(), { ...start, attempt: 2 })).toMatchObject({
      ...{ attempt: 2, runId: 'run-b', failures: 0, lostRuns: 1, admission: ADMISSION },
    });
  });

  it('makes another generation when it starts before the stored checkpoint', () => {
    const behind = aCheckpoint({ segmentCount: 1, checkpointMs: 9_000 });

    expect(moved(aRetryingJob({ checkpoint: FURTHER }), { ...start, attempt: 2, ...behind })).toMatchObject({
      checkpoint: { generation: 1, segmentCount: 1, checkpointMs: 9_000, language: 'en' },
    });
  });
});

describe('a run that goes on', () => {
  it('moves the checkpoint and keeps the generation of the job', () => {
    const job = aProcessingJob({ checkpoint: aCheckpoint({ generation: 2 }) });

    expect(moved(job, anAudioEvent(FURTHER))).toEqual({
      ...job,
      lastOrdinal: 2,
      checkpoint: { ...FURTHER, generation: 2 },
    });
  });

  it('is refused segments that do not follow on the stored ones', () => {
    for (const index of [0, 2]) {
      const job = aProcessingJob({ checkpoint: aCheckpoint({ segmentCount: 1 }) });
      expect(advance(job, aSegmentsEvent([aSegment({ index })]), AT_NOON)).toEqual({
        ok: false,
        refusal: 'GAP',
      });
    }
  });
});

describe('a run that completes', () => {
  it('ends the job with its last checkpoint', () => {
    const job = aProcessingJob();

    expect(moved(job, aCompletedEvent(FURTHER))).toEqual({
      ...fieldsOf(job),
      ...{ status: 'COMPLETED', lastOrdinal: 2, checkpoint: FURTHER, ...END },
    });
  });

  it('wins over a cancel that came too late to stop it', () => {
    expect(moved(aProcessingJob({ cancelRequestedAt: NOON }), aCompletedEvent()).status).toBe('COMPLETED');
  });
});

describe('a run that is canceled', () => {
  it('ends the job and keeps its checkpoint', () => {
    const job = aProcessingJob({ cancelRequestedAt: NOON, checkpoint: FURTHER });

    expect(moved(job, anEndingEvent('canceled'))).toEqual({
      ...fieldsOf(job),
      ...{ status: 'CANCELED', lastOrdinal: 2, ...END },
    });
  });

  it('may never have started', () => {
    const event = anEndingEvent('canceled', { attempt: 1, runId: 'run-b', ordinal: 1 });

    expect(moved(aQueuedJob(), event)).toMatchObject({
      ...{ status: 'CANCELED', attempt: 1, runId: 'run-b', lastOrdinal: 1, ...END },
    });
  });
});

describe('a run that is released', () => {
  it('lets the job wait for the redelivery of its task, and counts nothing', () => {
    const job = aProcessingJob({ failures: 1, lostRuns: 1, checkpoint: FURTHER });

    expect(moved(job, anEndingEvent('released'))).toEqual({
      ...fieldsOf(job),
      ...{ status: 'QUEUED', admission: ADMISSION, lastOrdinal: 2 },
    });
  });

  it('leaves a job with a requested cancel to its chain, as another worker may have its task', () => {
    const job = aProcessingJob({ cancelRequestedAt: NOON });

    expect(moved(job, anEndingEvent('released'))).toMatchObject({
      ...{ status: 'QUEUED', admission: ADMISSION, cancelRequestedAt: NOON },
    });
  });
});

describe('a run that is lost', () => {
  const lost = anEndingEvent('lost', { runId: 'server-1' });

  it('lets the job wait for the redelivery of its task, and counts as lost but not as failed', () => {
    const job = aProcessingJob({ failures: 1, lostRuns: 1 });

    expect(moved(job, lost)).toEqual({
      ...fieldsOf(job),
      ...{ status: 'QUEUED', admission: ADMISSION, failures: 1, lostRuns: 2, lastOrdinal: 2 },
      runId: INSTANCE,
    });
  });

  it('ends a job that lost too many as a dead letter', () => {
    expect(moved(aProcessingJob({ lostRuns: 2 }), lost)).toMatchObject({
      ...{ status: 'FAILED', failure: poisonFailure(3), failureAt: NOON, deadLetteredAt: NOON, ...END },
    });
  });

  it('uses no attempt up, however few are left', () => {
    expect(moved(aProcessingJob({ failures: 2, maxAttempts: 3 }), lost)).toMatchObject({
      ...{ status: 'QUEUED', failures: 2, lostRuns: 1 },
    });
  });

  it('leaves a job with a requested cancel to its chain, even if it lost too many', () => {
    expect(moved(aProcessingJob({ lostRuns: 2, cancelRequestedAt: NOON }), lost)).toMatchObject({
      ...{ status: 'QUEUED', cancelRequestedAt: NOON },
    });
  });
});

describe('a run that fails', () => {
  const PERMANENT = aFailure({ kind: 'AUDIO', code: 'AUDIO_NOT_RECOGNIZED', retryable: false });
  const fail = (job: Job, failure: Failure, change: Parameters<typeof aFailedEvent>[1] = {}) =>
    moved(job, aFailedEvent(failure, change));

  it('is tried again later when the failure may pass', () => {
    const job = aProcessingJob();

    expect(fail(job, aFailure())).toEqual({
      ...fieldsOf(job),
      ...{ status: 'RETRYING', failures: 1, lastOrdinal: 2, nextAttemptAt: later(2_500) },
      ...{ failure: aFailure(), failureAt: NOON },
    });
  });

  it('waits for as long as a Retry-After says', () => {
    expect(fail(aProcessingJob(), aFailure({ retryAfterMs: 120_000 }))).toMatchObject({
      ...{ status: 'RETRYING', nextAttemptAt: later(120_000) },
    });
  });

  it('ends the job at once, which is no dead letter, when another attempt would not help', () => {
    expect(fail(aProcessingJob(), PERMANENT)).toMatchObject({
      ...{ status: 'FAILED', failure: PERMANENT, failureAt: NOON, deadLetteredAt: null, ...END },
    });
  });

  it('ends the job as a dead letter once its attempts are used up', () => {
    expect(fail(aProcessingJob({ failures: 2, maxAttempts: 3 }), aFailure())).toMatchObject({
      ...{ status: 'FAILED', failures: 3, failure: aFailure(), deadLetteredAt: NOON },
    });
  });

  it('ends the job as a dead letter when too many runs were lost', () => {
    const job = aProcessingJob({ lostRuns: 3, maxAttempts: 10 });

    for (const retryable of [true, false]) {
      expect(fail(job, aFailure({ kind: 'WORKER_LOST', retryable }))).toMatchObject({
        ...{ status: 'FAILED', lostRuns: 3, deadLetteredAt: NOON },
      });
    }
  });

  it('counts the run before it as lost when it opens an attempt only to give the job up', () => {
    const job = aProcessingJob({ lostRuns: 2, maxAttempts: 10 });
    const opening = { attempt: 2, runId: 'run-b', ordinal: 1 };

    expect(fail(job, poisonFailure(3), opening)).toMatchObject({
      ...{ status: 'FAILED', attempt: 2, lostRuns: 3, deadLetteredAt: NOON },
    });
    expect(fail(job, aFailure(), opening)).toMatchObject({ status: 'RETRYING', lostRuns: 2 });
  });

  it('ends the job when the next attempt would start at or after its deadline', () => {
    expect(fail(aProcessingJob({ deadline: later(2_500) }), aFailure())).toMatchObject({
      ...{ status: 'FAILED', failure: deadlineFailure(aFailure()), deadLetteredAt: null },
    });
    expect(fail(aProcessingJob({ deadline: later(2_501) }), aFailure()).status).toBe('RETRYING');
  });

  it('ends the job when its deadline has passed, whatever engine is left', () => {
    const job = aProcessingJob({ engines: ['WHISPER', 'DEEPGRAM'], deadline: NOON });
    const own = deadlineFailure(null);

    expect(fail(job, aFailure({ kind: 'TIMEOUT' }))).toMatchObject({
      ...{ status: 'FAILED', failure: deadlineFailure(aFailure({ kind: 'TIMEOUT' })) },
    });
    expect(fail({ ...job, deadline: later(1) }, own)).toMatchObject({ status: 'FAILED', failure: own });
  });

  it('is canceled, and not tried again, when a cancel was requested', () => {
    for (const failure of [aFailure(), PERMANENT]) {
      expect(fail(aProcessingJob({ cancelRequestedAt: NOON }), failure)).toMatchObject({
        ...{ status: 'CANCELED', ...END },
      });
    }
  });

  it('hands over to the next engine at once, with its own attempts, when the engine is at fault', () => {
    const job = aProcessingJob({ engines: ['WHISPER', 'DEEPGRAM'], failures: 1 });

    const next = fail(job, aFailure({ kind: 'ENGINE_REJECTED', retryable: false }));

    expect(next).toEqual({
      ...fieldsOf(job),
      ...{ status: 'QUEUED', admission: null, queuedAt: NOON, lastOrdinal: 2 },
      ...{ engineIndex: 1, failures: 0 },
    });
    expect(engineFor(next)).toBe('DEEPGRAM');
  });

  it.each(['FETCH', 'AUDIO', 'NO_SPEECH', 'UNSUPPORTED'] as const)(
    'stays with its engine when the engine is not at fault (%s)',
    (kind) => {
      const job = aProcessingJob({ engines: ['WHISPER', 'DEEPGRAM'] });

      expect(fail(job, aFailure({ kind, retryable: false }))).toMatchObject({
        ...{ status: 'FAILED', engineIndex: 0 },
      });
    },
  );

  it('has no engine behind the last one', () => {
    const job = aProcessingJob({ engines: ['WHISPER', 'DEEPGRAM'], engineIndex: 1 });

    expect(fail(job, aFailure({ kind: 'ENGINE_REJECTED', retryable: false }))).toMatchObject({
      ...{ status: 'FAILED', engineIndex: 1 },
    });
  });
});
