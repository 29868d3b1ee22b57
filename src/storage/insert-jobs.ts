import DataLoader from 'dataloader';
import type { EntityManager } from 'typeorm';
import { ValidationError } from '../domain/errors.ts';
import type { JobView } from '../domain/job-view.ts';
import type { NewJob } from '../domain/new-job.ts';
import { OPTION_NAMES } from '../domain/transcription-options.ts';
import { CHANNELS } from './channels.ts';
import type { Database } from './database.ts';
import type { UsedKey } from './idempotency-keys.ts';
import { rowOf } from './job-rows.ts';
import { recordOf, recordsOf, toJobRow } from './job-sql.ts';
import { toJobView } from './job-views.ts';
import { type JobRow, JobTable } from './tables.ts';

/** A job with the idempotency key of the call that submits it. */
export interface Submission {
  readonly job: NewJob;
  readonly key: UsedKey | null;
}

/** Jobs in one statement; more of those that wait go with the next one. */
const MAX_BATCH = 200;

/**
 * Inserts jobs with one round trip and one commit for all that are submitted at the same time: a submission goes at
 * once when no statement is under way, and else with all others that wait for its end.
 *
 * @returns what inserts a job and gives it back as it is stored, or null when another call has the idempotency key. It
 *   throws a ValidationError when another job of the tenant has the external id, or for text that Postgres can't store.
 */
export function createJobInserter(database: Database): (submission: Submission) => Promise<JobView | null> {
  let underWay: Promise<unknown> = Promise.resolve();
  const loader = new DataLoader<Submission, JobView | null>(
    (batch) => {
      const writing = insertEach(database, batch);
      underWay = writing.catch(() => undefined);
      return writing;
    },
    {
      cache: false,
      maxBatchSize: MAX_BATCH,
      batchScheduleFn: (dispatch) => void underWay.then(dispatch),
    },
  );
  return (submission) => loader.load(submission);
}

/** A job that Postgres can't store fails alone: the batch is inserted again one by one. */
async function insertEach(
  database: Database,
  batch: readonly Submission[],
): Promise<readonly (JobView | Error | null)[]> {
  try {
    return await insertJobs(database, batch);
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    if (batch.length === 1) return [error];
    const outcomes: (JobView | Error | null)[] = [];
    for (const submission of batch) outcomes.push(...(await insertEach(database, [submission])));
    return outcomes;
  }
}

/**
 * @returns for each submission, in order, the job as it is stored; null where the idempotency key is taken; an error
 *   where another job of the tenant has the external id.
 */
export async function insertJobs(
  database: Database | EntityManager,
  submissions: readonly Submission[],
): Promise<readonly (JobView | ValidationError | null)[]> {
  const rows = submissions.map(({ job }) => rowOf(job));
  const keys = submissions.flatMap(({ job, key }) => (key === null ? [] : [{ ...key, jobId: job.id }]));
  const news = new Map(rows.map((row) => newsOf(row)).map((pair) => [pair.join(), pair]));
  const raw: Record<string, unknown>[] = await database.query(INSERT, [
    recordsOf(NEW_JOB, rows),
    JSON.stringify(keys),
    [...news.values()].map(([channel]) => channel),
    [...news.values()].map(([, payload]) => payload),
  ]);
  const outcomes = new Map(raw.map((row) => [row.id, row]));
  return submissions.map(({ job }) => {
    const outcome = outcomes.get(job.id);
    if (outcome === undefined) return null;
    return outcome.status === null ? takenExternalId(job) : toJobView(toJobRow(outcome));
  });
}

function takenExternalId({ externalId }: NewJob): ValidationError {
  const message = `\`externalId\` ${externalId} belongs to another job.`;
  return new ValidationError([{ path: ['input', 'externalId'], rule: 'unique', message }]);
}

/** Which loop has to look at a new job; nobody can be watching it yet. */
function newsOf(row: Pick<JobRow, 'status' | 'queue'>): readonly [channel: string, payload: string] {
  return row.status === 'SCHEDULED' ? [CHANNELS.jobsTimed, ''] : [CHANNELS.jobsWaiting, row.queue];
}

const NEW_JOB = recordOf(JobTable, [
  ...(['id', 'tenantId', 'externalId', 'status', 'queue', 'priority', 'engines', 'engineIndex'] as const),
  ...(['tags', 'metadata', 'sourceUrl', 'uploadId', 'audioFilename', 'audioContentType'] as const),
  ...(['audioSizeBytes', 'audioSha256', ...OPTION_NAMES, 'submittedAt', 'scheduledFor', 'deadline'] as const),
  ...(['queuedAt', 'maxAttempts', 'updatedAt'] as const),
]);

/**
 * A row for each job whose key was free; without a status where the external id was taken. Postgres leaves out a query
 * that nothing reads, so the end reads `news`.
 */
const INSERT = `
  WITH new AS (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS new (${NEW_JOB.definition})
  ), key AS (
    SELECT * FROM jsonb_to_recordset($2::jsonb) AS key ("tenantId" text, operation text, key text, "inputHash" text,
      "jobId" text, now timestamptz)
  ), claimed AS (
    INSERT INTO idempotency_keys (tenant_id, operation, key, input_hash, job_id, created_at)
      SELECT "tenantId", operation, key, "inputHash", "jobId", now FROM key ON CONFLICT DO NOTHING RETURNING job_id
  ), free AS (
    SELECT new.* FROM new WHERE NOT EXISTS (SELECT 1 FROM key WHERE "jobId" = new.id)
      OR new.id IN (SELECT job_id FROM claimed)
  ), inserted AS (
    INSERT INTO jobs (${NEW_JOB.names}) SELECT ${NEW_JOB.names} FROM free ON CONFLICT DO NOTHING RETURNING *
  ), news AS (
    SELECT pg_notify(channel, payload) FROM unnest($3::text[], $4::text[]) AS news (channel, payload)
  )
  SELECT inserted.*, free.id AS id FROM free LEFT JOIN inserted ON inserted.id = free.id
   WHERE (SELECT count(*) FROM news) >= 0`;
