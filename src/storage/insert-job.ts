import { ValidationError } from '../domain/errors.ts';
import type { NewJob } from '../domain/new-job.ts';
import { CHANNELS } from './channels.ts';
import { type Database, isDuplicate } from './database.ts';
import { rowOf } from './job-rows.ts';
import { insertJob } from './job-sql.ts';

/** Insert and announcement as one statement: the shortest way from a submit to a worker. */
export async function insertAlone(database: Database, job: NewJob): Promise<void> {
  const { sql, parameters } = insertJob(rowOf(job));
  const [channel, payload] = waitingNews(job);
  const at = parameters.length;
  await refusingTakenExternalId(job, () =>
    database.query(
      `WITH inserted AS (${sql} RETURNING 1) SELECT pg_notify($${at + 1}, $${at + 2}) FROM inserted`,
      [...parameters, channel, payload],
    ),
  );
}

/** Whom a new job concerns; nobody can be watching it yet. */
export function waitingNews(job: NewJob): readonly [channel: string, payload: string] {
  const row = rowOf(job);
  return row.status === 'SCHEDULED' ? [CHANNELS.jobsTimed, ''] : [CHANNELS.jobsWaiting, row.queue];
}

/** @throws ValidationError when another job of the tenant has the external id. */
export async function refusingTakenExternalId(job: NewJob, insert: () => Promise<unknown>): Promise<void> {
  try {
    await insert();
  } catch (error) {
    if (!isDuplicate(error, 'jobs_external_id')) throw error;
    const message = `\`externalId\` ${job.externalId} belongs to another job already.`;
    throw new ValidationError([{ path: ['input', 'externalId'], rule: 'unique', message }]);
  }
}
