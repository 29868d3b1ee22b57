import { describe, expect, it } from 'vitest';
import { fieldsOf, type Job } from '../../../src/domain/job.ts';
import { advance, submit } from '../../../src/domain/lifecycle.ts';
import type { ChainEvent, LifecycleEvent, Refusal } from '../../../src/domain/lifecycle-events.ts';
import type { JobStatus } from '../../../src/domain/vocabulary.ts';
import {
  ADMISSION,
  AT_NOON,
  aCanceledJob,
  aCompletedEvent,
  aCompletedJob,
  aFailedEvent,
  aFailedJob,
  aFailure,
  aNewJob,
  anAudioEvent,
  anEndingEvent,
  aProcessingJob,
  aQueuedJob,
  aRetryingJob,
  aScheduledJob,
  aSegmentsEvent,
  aStartedEvent,
  eventFields,
  INSTANCE,
  later,
  NOON,
} from '../../support/builders.ts';

const refusalOf = (job: Job, event: LifecycleEvent): Refusal | null => {
  const moved = advance(job, event, AT_NOON);
  return moved.ok ? null : moved.refusal;
};

const FINAL = [aCompletedJob(), aFailedJob(), aCanceledJob()];

describe('the table', () => {
  /** One job of each kind, on which every event of its status counts. */
  const JOBS: readonly (readonly [string, Job])[] = [
    ['SCHEDULED', aScheduledJob({ scheduledFor: NOON, deadline: NOON })],
    ['QUEUED', aQueuedJob({ admission: null, engines: ['WHISPER', 'DEEPGRAM'], deadline: NOON })],
    ['QUEUED, admitted', aQueuedJob({ engines: ['WHISPER', 'DEEPGRAM'], deadline: NOON })],
    ['PROCESSING', aProcessingJob({ deadline: NOON })],
    ['RETRYING', aRetryingJob({ nextAttemptAt: NOON, deadline: NOON })],
    ['COMPLETED', aCompletedJob()],
    ['FAILED', aFailedJob({ deadLetteredAt: NOON })],
    ['CANCELED', aCanceledJob()],
  ];

  /** The next event of the run (before the first run: of another writer), and the first of another attempt. */
  const events = (job: Job): readonly (readonly [string, LifecycleEvent])[] => {
    const next = { attempt: job.attempt, ordinal: job.lastOrdinal + 1 };
    const opening = { attempt: job.attempt + 1, runId: 'run-b', ordinal: 1 };
    return [
      ['due', { type: 'due' }],
      ['admitted', { type: 'admitted' }],
      ['taskRecorded', { type: 'taskRecorded', publication: job.publication, sequence: 9 }],
      ['readmitted', { type: 'readmitted' }],
      ['withdrawn', { type: 'withdrawn' }],
      ['engineAbsent', { type: 'engineAbsent' }],
      ['cancelRequested', { type: 'cancelRequested' }],
      ['deadlinePassed', { type: 'deadlinePassed' }],
      ['retried', { type: 'retried', startOver: false }],
      ['discarded', { type: 'discarded' }],
      ['started', aStartedEvent(opening)],
      ['audio', anAudioEvent(next)],
      ['segments', aSegmentsEvent([], next)],
      ['opaque', { ...eventFields(next), type: 'opaque' }],
      ['completed', aCompletedEvent(next)],
      ['failed', aFailedEvent(aFailure(), next)],
      ['canceled', anEndingEvent('canceled', next)],
      ['released', anEndingEvent('released', next)],
      ['lost', anEndingEvent('lost', { ...next, runId: 'server-1' })],
      ['failed, opening', aFailedEvent(aFailure(), opening)],
      ['canceled, opening', anEndingEvent('canceled', opening)],
    ];
  };

  it('leads from each status by each event to this one, and nowhere else', () => {
    const arrows = JOBS.flatMap(([name, job]) =>
      events(job).flatMap(([type, event]) => {
        const moved = advance(job, event, AT_NOON);
        return moved.ok ? [`${name} · ${type} → ${moved.job.status}`] : [];
      }),
    );

    expect(arrows).toEqual([
      'SCHEDULED · due → QUEUED',
      'SCHEDULED · cancelRequested → CANCELED',
      'SCHEDULED · deadlinePassed → FAILED',
      'SCHEDULED · started → PROCESSING',
      'SCHEDULED · failed → FAILED',
      'SCHEDULED · canceled → CANCELED',
      'SCHEDULED · failed, opening → FAILED',
      'SCHEDULED · canceled, opening → CANCELED',
      'QUEUED · admitted → QUEUED',
      'QUEUED · engineAbsent → QUEUED',
      'QUEUED · cancelRequested → CANCELED',
      'QUEUED · deadlinePassed → FAILED',
      'QUEUED · started → PROCESSING',
      'QUEUED · failed → FAILED',
      'QUEUED · canceled → CANCELED',
      'QUEUED · failed, opening → FAILED',
      'QUEUED · canceled, opening → CANCELED',
      'QUEUED, admitted · taskRecorded → QUEUED',
      'QUEUED, admitted · readmitted → QUEUED',
      'QUEUED, admitted · withdrawn → QUEUED',
      'QUEUED, admitted · engineAbsent → QUEUED',
      'QUEUED, admitted · cancelRequested → QUEUED',
      'QUEUED, admitted · started → PROCESSING',
      'QUEUED, admitted · failed → FAILED',
      'QUEUED, admitted · canceled → CANCELED',
      'QUEUED, admitted · failed, opening → FAILED',
      'QUEUED, admitted · canceled, opening → CANCELED',
      'PROCESSING · taskRecorded → PROCESSING',
      'PROCESSING · readmitted → PROCESSING',
      'PROCESSING · cancelRequested → PROCESSING',
      'PROCESSING · started → PROCESSING',
      'PROCESSING · audio → PROCESSING',
      'PROCESSING · segments → PROCESSING',
      'PROCESSING · opaque → PROCESSING',
      'PROCESSING · completed → COMPLETED',
      'PROCESSING · failed → FAILED',
      'PROCESSING · canceled → CANCELED',
      'PROCESSING · released → QUEUED',
      'PROCESSING · lost → QUEUED',
      'PROCESSING · failed, opening → FAILED',
      'PROCESSING · canceled, opening → CANCELED',
      'RETRYING · due → QUEUED',
      'RETRYING · cancelRequested → CANCELED',
      'RETRYING · deadlinePassed → FAILED',
      'RETRYING · started → PROCESSING',
      'RETRYING · failed, opening → FAILED',
      'RETRYING · canceled, opening → CANCELED',
      'FAILED · retried → QUEUED',
      'FAILED · discarded → FAILED',
    ]);
  });
});

describe('submit', () => {
  it('queues a job, which waits from its submission on', () => {
    const job = aNewJob({ submittedAt: NOON, maxAttempts: 5, deadline: later(9), engines: ['DEEPGRAM'] });

    expect(submit(job)).toEqual({
      ...{ id: job.id, status: 'QUEUED', engines: ['DEEPGRAM'], engineIndex: 0 },
      ...{ attempt: 0, lastOrdinal: 0, runId: null, failures: 0, lostRuns: 0, maxAttempts: 5 },
      ...{ cancelRequestedAt: null, deadline: later(9), publication: 0, startedAt: null },
      checkpoint: { generation: 0, segmentCount: 0, checkpointMs: 0, language: null },
      ...{ queuedAt: NOON, admission: null },
    });
  });

  it.each([
    { when: 'later', scheduledFor: later(1), status: 'SCHEDULED', queuedAt: null },
    { when: 'now', scheduledFor: NOON, status: 'QUEUED', queuedAt: NOON },
    { when: 'earlier', scheduledFor: later(-1), status: 'QUEUED', queuedAt: NOON },
  ])('obeys a time that is $when', ({ scheduledFor, status, queuedAt }) => {
    expect(submit(aNewJob({ submittedAt: NOON, scheduledFor }))).toMatchObject({ status, queuedAt });
  });
});

const NEXT = { attempt: 1, runId: INSTANCE, ordinal: 2 };

/** Events that only the run of a PROCESSING job publishes. */
const OF_THE_RUN: readonly ((change: Partial<typeof NEXT>) => ChainEvent)[] = [
  (change) => anAudioEvent({ ...NEXT, ...change }),
  (change) => aSegmentsEvent([], { ...NEXT, ...change }),
  (change) => ({ ...eventFields({ ...NEXT, ...change }), type: 'opaque' }),
  (change) => aCompletedEvent({ ...NEXT, ...change }),
  (change) => aFailedEvent(aFailure(), { ...NEXT, ...change }),
  (change) => anEndingEvent('canceled', { ...NEXT, ...change }),
  (change) => anEndingEvent('released', { ...NEXT, ...change }),
];

describe.each(OF_THE_RUN.map((event) => ({ type: event({}).type, event })))('an event $type', ({ event }) => {
  it('counts as the next of the run that has the job', () => {
    expect(advance(aProcessingJob(), event({}), AT_NOON)).toMatchObject({
      ok: true,
      job: { attempt: 1, runId: INSTANCE, lastOrdinal: 2 },
    });
  });

  it.each([
    { because: 'a former attempt', change: { attempt: 0 }, refusal: 'STALE' },
    { because: 'an attempt whose start is missing', change: { attempt: 2 }, refusal: 'GAP' },
    { because: 'another run of the attempt', change: { runId: 'run-b' }, refusal: 'NOT_THE_RUN' },
    { because: 'an event that was applied', change: { ordinal: 1 }, refusal: 'STALE' },
    { because: 'an event after a missing one', change: { ordinal: 3 }, refusal: 'GAP' },
  ])('is refused from $because', ({ change, refusal }) => {
    expect(refusalOf(aProcessingJob(), event(change))).toBe(refusal);
  });

  it('is refused behind the end of its run', () => {
    const released = aQueuedJob({ attempt: 1, lastOrdinal: 4, runId: INSTANCE });
    for (const ordinal of [4, 5, 6]) {
      expect(refusalOf(aRetryingJob(), event({ ordinal }))).toBe('STALE');
      expect(refusalOf(released, event({ ordinal }))).toBe('STALE');
    }
  });

  it.each(FINAL)('is refused once the job is $status', (job) => {
    expect(refusalOf(job, event({ ordinal: 5 }))).toBe('JOB_FINAL');
  });
});

describe('an event that opens an attempt', () => {
  const OPENING = { attempt: 2, runId: 'run-b', ordinal: 1 };
  const opening: readonly ((change: Partial<typeof OPENING> & object) => ChainEvent)[] = [
    (change) => aStartedEvent({ ...OPENING, ...change }),
    (change) => aFailedEvent(aFailure(), { ...OPENING, ...change }),
    (change) => anEndingEvent('canceled', { ...OPENING, ...change }),
  ];

  it('may leave numbers out, since runs that stored nothing have used them', () => {
    for (const event of opening) {
      expect(advance(aProcessingJob(), event({ attempt: 9 }), AT_NOON)).toMatchObject({
        ok: true,
        job: { attempt: 9 },
      });
    }
  });

  it('is refused when it builds on segments that were not applied', () => {
    const missing = { segmentCount: 1 };
    for (const event of opening) {
      expect(refusalOf(aProcessingJob(), event(missing))).toBe('GAP');
      expect(refusalOf(aProcessingJob(), event({ ...missing, ...{ generation: 1 } }))).toBeNull();
    }
  });

  it('is refused as a later event of its run, whose start is missing', () => {
    for (const event of opening.slice(1)) {
      expect(refusalOf(aProcessingJob(), event({ ordinal: 2 }))).toBe('GAP');
    }
  });

  it.each(FINAL)('is refused once the job is $status', (job) => {
    for (const event of opening) expect(refusalOf(job, event({ attempt: 9 }))).toBe('JOB_FINAL');
  });

  it.each([aProcessingJob(), aRetryingJob()])(
    'is refused for an attempt that has started ($status)',
    (job) => {
      expect(refusalOf(job, aStartedEvent({ attempt: 1 }))).toBe('STALE');
    },
  );
});

describe('an end by the server', () => {
  const lost = anEndingEvent('lost', { ...NEXT, runId: 'server-1' });

  it.each([
    { because: 'another attempt', job: aProcessingJob({ attempt: 2 }), refusal: 'STALE' },
    { because: 'an attempt that has not started', job: aProcessingJob({ attempt: 0 }), refusal: 'GAP' },
    { because: 'a job that waits', job: aRetryingJob(), refusal: 'STALE' },
    { because: 'a run that was released', job: aQueuedJob({ attempt: 1, lastOrdinal: 1 }), refusal: 'STALE' },
    { because: 'a run with later events', job: aProcessingJob({ lastOrdinal: 2 }), refusal: 'STALE' },
    { because: 'a run with missing events', job: aProcessingJob({ lastOrdinal: 0 }), refusal: 'GAP' },
  ] as const)('does not lose $because', ({ job, refusal }) => {
    expect(refusalOf(job, lost)).toBe(refusal);
  });

  it('cancels a job between two attempts, behind the last event of the former', () => {
    const job = aQueuedJob({ attempt: 1, lastOrdinal: 4, runId: INSTANCE, cancelRequestedAt: NOON });
    const canceled = anEndingEvent('canceled', { attempt: 1, runId: 'server-1', ordinal: 5 });

    expect(advance(job, canceled, AT_NOON)).toMatchObject({
      ok: true,
      job: { status: 'CANCELED', attempt: 1, lastOrdinal: 5 },
    });
    expect(refusalOf(job, { ...canceled, ordinal: 4 })).toBe('STALE');
    expect(refusalOf(job, { ...canceled, ordinal: 6 })).toBe('GAP');
  });
});

describe('what the server does to a job', () => {
  const OTHERS = (status: JobStatus): readonly Job[] =>
    [aScheduledJob(), aQueuedJob(), aProcessingJob(), aRetryingJob(), ...FINAL].filter(
      (job) => job.status !== status,
    );

  it.each(OTHERS('FAILED'))('does not retry or discard a $status job', (job) => {
    const refusal = FINAL.some(({ status }) => status === job.status) ? 'JOB_FINAL' : 'NOT_NOW';
    expect(refusalOf(job, { type: 'retried', startOver: false })).toBe(refusal);
    expect(refusalOf(job, { type: 'discarded' })).toBe(refusal);
  });

  it('does not discard twice', () => {
    expect(refusalOf(aFailedJob({ deadLetteredAt: null }), { type: 'discarded' })).toBe('NOT_NOW');
  });

  it('leaves a failed job as it is when it is discarded, but for its place among the dead letters', () => {
    const job = aFailedJob({ deadLetteredAt: later(-9), finishedAt: later(-9), failureAt: later(-9) });

    expect(advance(job, { type: 'discarded' }, AT_NOON)).toEqual({
      ok: true,
      job: { ...job, deadLetteredAt: null },
    });
  });

  it.each([aScheduledJob({ scheduledFor: later(1) }), aRetryingJob({ nextAttemptAt: later(1) })])(
    'does not wake a $status job before its time',
    (job) => {
      expect(refusalOf(job, { type: 'due' })).toBe('NOT_NOW');
      expect(advance(job, { type: 'due' }, { ...AT_NOON, now: later(1) })).toEqual({
        ok: true,
        job: { ...fieldsOf(job), status: 'QUEUED', queuedAt: later(1), admission: null },
      });
    },
  );

  it('admits a waiting job once, with a task that is not recorded yet', () => {
    const job = aQueuedJob({ admission: null, publication: 2 });

    const moved = advance(job, { type: 'admitted' }, AT_NOON);

    const admission = { admittedAt: NOON, taskSequence: null };
    expect(moved).toEqual({ ok: true, job: { ...job, publication: 3, admission } });
    expect(moved.ok && refusalOf(moved.job, { type: 'admitted' })).toBe('NOT_NOW');
  });

  it.each([aQueuedJob({ publication: 3 }), aProcessingJob({ publication: 3 })])(
    'records the task of a $status job, unless another was published since',
    (job) => {
      const task = { type: 'taskRecorded', publication: 3, sequence: 42 } as const;

      expect(advance(job, task, AT_NOON)).toEqual({
        ok: true,
        job: { ...job, admission: { ...ADMISSION, taskSequence: 42 } },
      });
      for (const publication of [2, 4]) expect(refusalOf(job, { ...task, publication })).toBe('NOT_NOW');
      expect(refusalOf(aQueuedJob({ publication: 3, admission: null }), task)).toBe('NOT_NOW');
    },
  );

  it.each([aQueuedJob({ publication: 3 }), aProcessingJob({ publication: 3 })])(
    'publishes another task of a $status job that is admitted',
    (job) => {
      expect(advance(job, { type: 'readmitted' }, AT_NOON)).toEqual({
        ok: true,
        job: { ...job, publication: 4, admission: { ...ADMISSION, taskSequence: null } },
      });
      expect(refusalOf(aQueuedJob({ admission: null }), { type: 'readmitted' })).toBe('NOT_NOW');
    },
  );

  it('withdraws the task of a job that has not started, which keeps its place', () => {
    expect(advance(aQueuedJob(), { type: 'withdrawn' }, AT_NOON)).toEqual({
      ok: true,
      job: aQueuedJob({ admission: null }),
    });
    expect(refusalOf(aQueuedJob({ admission: null }), { type: 'withdrawn' })).toBe('NOT_NOW');
    expect(refusalOf(aProcessingJob(), { type: 'withdrawn' })).toBe('NOT_NOW');
  });

  it('moves a waiting job to its next engine, with attempts of its own', () => {
    const job = aQueuedJob({ engines: ['WHISPER', 'DEEPGRAM'], failures: 2 });

    expect(advance(job, { type: 'engineAbsent' }, AT_NOON)).toEqual({
      ok: true,
      job: { ...job, engineIndex: 1, failures: 0, admission: null },
    });
    expect(refusalOf({ ...job, engineIndex: 1 }, { type: 'engineAbsent' })).toBe('NOT_NOW');
  });

  it.each([aScheduledJob(), aQueuedJob({ admission: null }), aRetryingJob()])(
    'cancels a $status job at once, as no worker can have it',
    (job) => {
      expect(advance(job, { type: 'cancelRequested' }, AT_NOON)).toEqual({
        ok: true,
        job: {
          ...fieldsOf(job),
          ...{ status: 'CANCELED', cancelRequestedAt: NOON, finishedAt: NOON },
          expiresAt: later(AT_NOON.policy.retentionMs),
        },
      });
    },
  );

  it.each([aQueuedJob(), aProcessingJob()])(
    'notes the first request to cancel an admitted $status job',
    (job) => {
      const moved = advance(job, { type: 'cancelRequested' }, AT_NOON);

      expect(moved).toEqual({ ok: true, job: { ...job, cancelRequestedAt: NOON } });
      if (!moved.ok) throw new Error('refused');
      const again = advance(moved.job, { type: 'cancelRequested' }, { ...AT_NOON, now: later(1) });
      expect(again.ok && again.job).toBe(moved.job);
    },
  );

  it('fails a waiting job whose deadline has passed, which is no dead letter', () => {
    for (const job of [aScheduledJob(), aQueuedJob({ admission: null }), aRetryingJob()]) {
      expect(refusalOf(job, { type: 'deadlinePassed' })).toBe('NOT_NOW');
      expect(refusalOf({ ...job, deadline: later(1) }, { type: 'deadlinePassed' })).toBe('NOT_NOW');
      expect(advance({ ...job, deadline: NOON }, { type: 'deadlinePassed' }, AT_NOON)).toMatchObject({
        ok: true,
        job: {
          ...{ status: 'FAILED', finishedAt: NOON, failureAt: NOON, deadLetteredAt: null },
          failure: { code: 'DEADLINE_EXCEEDED' },
        },
      });
    }
  });

  it('leaves an admitted job with a passed deadline to its chain, and a run to its own timeout', () => {
    expect(refusalOf(aQueuedJob({ deadline: NOON }), { type: 'deadlinePassed' })).toBe('ON_CHAIN');
    expect(refusalOf(aProcessingJob({ deadline: NOON }), { type: 'deadlinePassed' })).toBe('NOT_NOW');
  });

  describe('with a failed job that is retried by hand', () => {
    const failed = aFailedJob({
      ...{ engines: ['WHISPER', 'DEEPGRAM'], engineIndex: 1, failures: 3, lostRuns: 2 },
      ...{ deadline: later(-1), cancelRequestedAt: later(-2), publication: 4 },
      checkpoint: { generation: 1, segmentCount: 3, checkpointMs: 30_000, language: 'en' },
    });
    const retried = (startOver: boolean) => advance(failed, { type: 'retried', startOver }, AT_NOON);

    it('queues it with a new allowance, behind the attempts that it had', () => {
      expect(retried(false)).toEqual({
        ok: true,
        job: {
          ...fieldsOf(failed),
          ...{ status: 'QUEUED', queuedAt: NOON, admission: null, engineIndex: 0 },
          ...{ failures: 0, lostRuns: 0, deadline: null, cancelRequestedAt: null },
        },
      });
    });

    it('drops the transcript when it starts over', () => {
      expect(retried(true)).toMatchObject({
        job: { checkpoint: { generation: 2, segmentCount: 0, checkpointMs: 0, language: null } },
      });
    });
  });
});
