import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { admissionOf, engineFor, type Job, type JobFields } from '../../../src/domain/job.ts';
import { advance } from '../../../src/domain/lifecycle.ts';
import type { LifecycleContext, ServerEvent } from '../../../src/domain/lifecycle-events.ts';
import { isFinal, queueOf } from '../../../src/domain/vocabulary.ts';
import { createJobChecks } from '../../../src/storage/job-checks.ts';
import { columnsOf, rowOf, toJob } from '../../../src/storage/job-rows.ts';
import { createJobSchedule } from '../../../src/storage/job-schedule.ts';
import { recordOf, recordsOf, toJobRow } from '../../../src/storage/job-sql.ts';
import { type JobRow, JobTable } from '../../../src/storage/tables.ts';
import { AT_NOON, aFailure, aNewJob, later, NOON } from '../../support/builders.ts';
import { openTestStorage, type TestStorage } from '../../support/storage.ts';

/**
 * SQL that changes or lists many rows must do to each what the table of the lifecycle does to one job. Both get the same
 * jobs, of every status and on both sides of every limit.
 */
let storage: TestStorage;
beforeAll(async () => {
  storage = await openTestStorage();
});
afterAll(() => storage.close());

const RUNS = { numRuns: 60 };
const QUEUE = 'whisper';

/** Around noon, which is now. */
const time = fc.constantFrom(later(-60_000), later(-1), NOON, later(1), later(60_000));
const maybe = <Value>(arbitrary: fc.Arbitrary<Value>) => fc.option(arbitrary, { nil: null });
const count = fc.nat({ max: 3 });

const fields: fc.Arbitrary<JobFields> = fc
  .record({
    engines: fc.constantFrom<JobFields['engines']>(
      ['WHISPER'],
      ['DEEPGRAM'],
      ['WHISPER', 'DEEPGRAM'],
      ['DEEPGRAM', 'WHISPER'],
    ),
    engine: count,
    attempt: fc.integer({ min: 1, max: 4 }),
    lastOrdinal: count,
    runId: fc.constantFrom('run-a', 'server-1'),
    failures: count,
    lostRuns: count,
    maxAttempts: fc.integer({ min: 1, max: 3 }),
    checkpoint: fc.record({
      generation: count,
      segmentCount: count,
      checkpointMs: fc.nat({ max: 90_000 }),
      language: maybe(fc.constant('en')),
    }),
    cancelRequestedAt: fc.constant(null),
    deadline: maybe(time),
    publication: count,
    queuedAt: maybe(time),
    startedAt: maybe(time),
  })
  .map(({ engine, ...rest }) => ({ ...rest, id: '', engineIndex: engine % rest.engines.length }));

const admission = fc.record({ admittedAt: time, taskSequence: maybe(fc.integer({ min: 1, max: 2 ** 40 })) });
const failed = fc.record({
  failure: fc.constantFrom(aFailure(), aFailure({ kind: 'AUDIO', retryable: false, detail: 'exit code 1' })),
  failureAt: time,
});
const end = fc.record({ finishedAt: time, expiresAt: time });

/** Only a job that a worker may have keeps a requested cancel. */
const cancelable = fc.record({ cancelRequestedAt: maybe(time) });
const has = <Part extends object>(part: Part) => fc.constant(part);

const together = <Parts extends readonly object[]>(
  ...parts: { [At in keyof Parts]: fc.Arbitrary<Parts[At]> }
) => fc.tuple(fields, ...parts).map((all) => Object.assign({}, ...all) as Job);

const aJob: fc.Arbitrary<Job> = fc.oneof(
  together(has({ status: 'SCHEDULED' }), fc.record({ scheduledFor: time })),
  together(has({ status: 'QUEUED' }), fc.record({ queuedAt: time, admission: maybe(admission) }), cancelable),
  together(has({ status: 'PROCESSING' }), fc.record({ admission }), cancelable),
  together(has({ status: 'RETRYING' }), fc.record({ nextAttemptAt: time }), failed),
  together(has({ status: 'COMPLETED' }), end),
  together(has({ status: 'FAILED' }), end, failed, fc.record({ deadLetteredAt: maybe(time) })),
  together(has({ status: 'CANCELED' }), end),
);
const someJobs = fc
  .array(aJob, { minLength: 1, maxLength: 12 })
  .map((jobs) => jobs.map((job, n) => ({ ...job, id: `job_${String(n).padStart(2, '0')}` })));

/** The table's rows are these jobs. */
async function fill(jobs: readonly Job[]): Promise<void> {
  await storage.database.query('DELETE FROM jobs');
  for (const job of jobs) {
    const { id, engines, maxAttempts } = job;
    const asked = rowOf(aNewJob({ id, engines, maxAttempts, submittedAt: later(-90_000) }));
    const scheduledFor = job.status === 'SCHEDULED' ? job.scheduledFor : null;
    const row = { ...asked, ...columnsOf(job), scheduledFor };
    const columns = recordOf(JobTable, Object.keys(row) as (keyof JobRow)[]);
    await storage.database.query(
      `INSERT INTO jobs (${columns.names})
       SELECT ${columns.names} FROM jsonb_to_recordset($1::jsonb) AS new (${columns.definition})`,
      [recordsOf(columns, [row])],
    );
  }
}

interface Stored {
  readonly jobs: readonly Job[];
  readonly revisions: readonly number[];
}

async function read(): Promise<Stored> {
  const raw: Record<string, unknown>[] = await storage.database.query('SELECT * FROM jobs ORDER BY id');
  const rows = raw.map(toJobRow);
  return { jobs: rows.map(toJob), revisions: rows.map((row) => row.revision) };
}

const queueFor = (job: Job) => queueOf(engineFor(job));

/** What the table does to the jobs that the statement is about; the others stay. */
function byTheTable(
  jobs: readonly Job[],
  event: ServerEvent,
  isMeant: (job: Job) => boolean = () => true,
  context: LifecycleContext = AT_NOON,
): readonly Job[] {
  return jobs.map((job) => {
    const moved = isMeant(job) ? advance(job, event, context) : null;
    return moved?.ok ? moved.job : job;
  });
}

/** Fills the table, runs the statement, and compares the rows with what is expected of the jobs. */
async function holds(
  act: (jobs: readonly Job[]) => Promise<void>,
  expected: (jobs: readonly Job[]) => readonly Job[],
  raisesRevision: boolean,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(someJobs, async (jobs) => {
      await fill(jobs);

      await act(jobs);

      const wanted = expected(jobs);
      const stored = await read();
      expect(stored.jobs).toEqual(wanted);
      // `expected` keeps the jobs that it does not change.
      const raised = wanted.map((job, n) => (raisesRevision && job !== jobs[n] ? 2 : 1));
      expect(stored.revisions).toEqual(raised);
    }),
    RUNS,
  );
}

/** The tasks of the jobs that a move takes the admission from. */
const voided = (before: readonly Job[], after: readonly Job[]): readonly number[] =>
  before
    .filter((_, n) => admissionOf(after[n] as Job) === null)
    .flatMap((job) => admissionOf(job)?.taskSequence ?? [])
    .toSorted((a, b) => a - b);

const ids = (jobs: readonly { readonly id: string }[]) => jobs.map(({ id }) => id);

describe('a row', () => {
  it('reads back as the job that was stored', () =>
    holds(
      async () => {},
      (jobs) => jobs,
      false,
    ));

  it('is the job of the last update, whatever it was before', async () => {
    await fc.assert(
      fc.asyncProperty(aJob, aJob, async (before, after) => {
        // Nothing leads back there, so its time is never updated.
        fc.pre(after.status !== 'SCHEDULED');
        const { id, engines, maxAttempts } = { ...before, id: 'job_00' };
        await fill([{ ...before, id }]);
        // What was asked for never changes.
        const next = { ...after, id, engines, maxAttempts, engineIndex: before.engineIndex };
        await storage.store.transaction(async (jobs) => {
          await jobs.lock([id]);
          await jobs.apply([{ job: next, at: NOON }]);
        });
        const stored = await read();
        expect(stored).toEqual({ jobs: [next], revisions: [2] });
      }),
      RUNS,
    );
  });
});

describe('a statement of the schedule', () => {
  it('wakes the jobs whose time has come', () =>
    holds(
      async (jobs) => {
        const { woken, nextDueAt } = await createJobSchedule(storage.database).wakeDue(NOON);
        const times = byTheTable(jobs, { type: 'due' }).flatMap((job) => {
          if (job.status === 'SCHEDULED') return job.scheduledFor;
          return job.status === 'RETRYING' ? job.nextAttemptAt : [];
        });
        expect(woken).toBe(byTheTable(jobs, { type: 'due' }).filter((job, n) => job !== jobs[n]).length);
        expect(nextDueAt).toEqual(times.length === 0 ? null : new Date(Math.min(...times.map(Number))));
      },
      (jobs) => byTheTable(jobs, { type: 'due' }),
      true,
    ));

  it('moves the waiting jobs of an engine to their next one', () => {
    const expected = (jobs: readonly Job[]) =>
      byTheTable(jobs, { type: 'engineAbsent' }, (job) => queueFor(job) === QUEUE);
    return holds(
      async (jobs) => {
        const sequences = await createJobSchedule(storage.database).failOver(QUEUE, NOON);
        expect(sequences.toSorted((a, b) => a - b)).toEqual(voided(jobs, expected(jobs)));
      },
      expected,
      true,
    );
  });

  it('withdraws the tasks of a queue that have not started', () => {
    const expected = (jobs: readonly Job[]) =>
      byTheTable(jobs, { type: 'withdrawn' }, (job) => queueFor(job) === QUEUE);
    return holds(
      async (jobs) => {
        const sequences = await createJobSchedule(storage.database).withdraw(QUEUE);
        expect(sequences.toSorted((a, b) => a - b)).toEqual(voided(jobs, expected(jobs)));
      },
      expected,
      false,
    );
  });

  it('admits of the chosen jobs those that still wait, in the given order', () =>
    holds(
      async (jobs) => {
        const chosen = ids(jobs).toReversed();
        const admitted = await createJobSchedule(storage.database).admit(chosen, NOON);
        const waiting = jobs.filter((job) => advance(job, { type: 'admitted' }, AT_NOON).ok);
        expect(ids(admitted)).toEqual(ids(waiting).toReversed());
        for (const { id, publication, attempt } of admitted) {
          const job = jobs.find((each) => each.id === id);
          expect({ publication, attempt }).toEqual({
            publication: (job?.publication ?? 0) + 1,
            attempt: (job?.attempt ?? 0) + 1,
          });
        }
      },
      (jobs) => byTheTable(jobs, { type: 'admitted' }),
      false,
    ));

  it('publishes another task of each job that has one', () =>
    holds(
      async (jobs) => {
        for (const { id, publication } of jobs) {
          const task = await createJobSchedule(storage.database).readmit(id);
          if (task !== null) expect(task).toMatchObject({ id, publication: publication + 1 });
        }
      },
      (jobs) => byTheTable(jobs, { type: 'readmitted' }),
      false,
    ));

  it('records the tasks of the publication that is current', () => {
    const publication = 1;
    return holds(
      (jobs) =>
        createJobSchedule(storage.database).recordTasks(
          jobs.map(({ id }) => ({ id, publication, sequence: 77 })),
        ),
      (jobs) => byTheTable(jobs, { type: 'taskRecorded', publication, sequence: 77 }),
      false,
    );
  });
});

describe('a list', () => {
  /** Lists are in the order of ids, as the jobs are. */
  const lists = (
    list: () => Promise<readonly string[]>,
    isOnIt: (job: Job) => boolean,
    inOrder = true,
  ): Promise<void> =>
    fc.assert(
      fc.asyncProperty(someJobs, async (jobs) => {
        await fill(jobs);
        const listed = await list();
        expect(inOrder ? listed : listed.toSorted()).toEqual(ids(jobs.filter(isOnIt)));
      }),
      RUNS,
    );
  const accepts = (job: Job, event: ServerEvent) => advance(job, event, AT_NOON).ok;

  it('of candidates has the jobs of the queue that may be admitted', () =>
    lists(
      async () => ids(await createJobSchedule(storage.database).candidates(QUEUE, 100)),
      (job) => queueFor(job) === QUEUE && accepts(job, { type: 'admitted' }),
      false,
    ));

  it('of passed deadlines has the jobs that the server must end, at once or on their chain', () =>
    lists(
      () => createJobChecks(storage.database).pastDeadline(NOON, '', 100),
      (job) => {
        const moved = advance(job, { type: 'deadlinePassed' }, AT_NOON);
        return moved.ok || moved.refusal === 'ON_CHAIN';
      },
    ));

  it('of pending cancels has the jobs that did not end yet, those that wait before those that run', () =>
    fc.assert(
      fc.asyncProperty(someJobs, async (jobs) => {
        await fill(jobs);
        const pending = jobs.filter((job) => job.cancelRequestedAt !== null && !isFinal(job.status));
        const waiting = pending.filter(({ status }) => status === 'QUEUED');
        const running = pending.filter(({ status }) => status === 'PROCESSING');
        expect(await createJobChecks(storage.database).cancelsPending('', 100)).toEqual(
          ids([...waiting, ...running]),
        );
      }),
      RUNS,
    ));

  it('of admitted jobs has those that get another task when the broker lost its own', () =>
    lists(
      () => createJobChecks(storage.database).admitted('', 100),
      (job) => accepts(job, { type: 'readmitted' }),
    ));

  it('of silent jobs has the admitted ones, with their task', () =>
    fc.assert(
      fc.asyncProperty(someJobs, async (jobs) => {
        await fill(jobs);
        const silent = await createJobChecks(storage.database).silent(NOON, '', 100);
        expect(silent).toEqual(
          jobs.flatMap((job) => {
            const admitted = admissionOf(job);
            if (admitted === null || admitted.admittedAt >= NOON) return [];
            const { id, status, attempt } = job;
            const { taskSequence } = admitted;
            return [{ id, status, attempt, taskSequence }];
          }),
        );
      }),
      RUNS,
    ));

  it('of unpublished jobs has the waiting ones whose task was not recorded for a while', () =>
    lists(
      async () => ids(await createJobSchedule(storage.database).unpublished(NOON, 100)),
      (job) =>
        job.status === 'QUEUED' &&
        job.admission !== null &&
        job.admission.taskSequence === null &&
        job.admission.admittedAt < NOON,
      false,
    ));

  it('of expired jobs has the final ones whose retention is over', () =>
    lists(
      () => storage.store.expired(NOON, 100),
      (job) => 'expiresAt' in job && job.expiresAt <= NOON,
      false,
    ));
});
