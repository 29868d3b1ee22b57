import type { DataSource } from 'typeorm';
import { type AdmittedJob, type Credits, chooseFairly, type WaitingJob } from '../domain/admission.ts';
import type { JobPriority, QueueName } from '../domain/vocabulary.ts';
import { CHANNELS } from './channels.ts';
import { queryPrepared, whenReachable } from './database.ts';
import { priorityOf, toAdmittedJob } from './job-rows.ts';
import { toJobRow } from './job-sql.ts';
import type { ProjectorOffset } from './job-transaction.ts';
import { JobTable } from './tables.ts';

/**
 * The oldest waiting jobs of each tenant in each priority: an index-only hop from tenant to tenant, so that the
 * cost grows with tenants and free places, not with the jobs that wait.
 */
export const CANDIDATES = {
  name: 'admission-candidates',
  text: `
  WITH RECURSIVE running AS (
    SELECT tenant_id, count(*)::int AS jobs FROM jobs WHERE queue = $1 AND admitted_at IS NOT NULL GROUP BY tenant_id
  ), waiting_tenants AS (
    SELECT p.priority, (SELECT j.tenant_id FROM jobs j
        WHERE j.status = 'QUEUED' AND j.admitted_at IS NULL AND j.queue = $1 AND j.priority = p.priority
        ORDER BY j.tenant_id LIMIT 1) AS tenant_id
      FROM (VALUES (3::smallint), (2::smallint), (1::smallint), (0::smallint)) AS p (priority)
    UNION ALL
    SELECT w.priority, (SELECT j.tenant_id FROM jobs j
        WHERE j.status = 'QUEUED' AND j.admitted_at IS NULL AND j.queue = $1 AND j.priority = w.priority
          AND j.tenant_id > w.tenant_id
        ORDER BY j.tenant_id LIMIT 1)
      FROM waiting_tenants w WHERE w.tenant_id IS NOT NULL
  )
  SELECT j.id, w.priority, w.tenant_id AS "tenantId", j.queued_at AS "queuedAt",
      coalesce(r.jobs, 0) AS "tenantRunning", t.max_running_jobs AS "tenantLimit"
    FROM waiting_tenants w
    JOIN tenants t ON t.id = w.tenant_id
    LEFT JOIN running r ON r.tenant_id = w.tenant_id
    CROSS JOIN LATERAL (SELECT j.id, j.queued_at FROM jobs j
        WHERE j.status = 'QUEUED' AND j.admitted_at IS NULL AND j.queue = $1 AND j.priority = w.priority
          AND j.tenant_id = w.tenant_id
        ORDER BY j.queued_at, j.id LIMIT $2) j
   WHERE w.tenant_id IS NOT NULL`,
};

/** Free places of a queue: bounded by the ready set and, with the running jobs, by its concurrency. */
export const FREE_PLACES = {
  name: 'admission-free-places',
  text: `
  SELECT CASE WHEN q.paused_at IS NOT NULL THEN 0 ELSE
      greatest(0, least($2::int - a.ready, q.concurrency - a.ready - a.running)) END AS places
    FROM queues q, (SELECT count(*) FILTER (WHERE status = 'QUEUED')::int AS ready,
        count(*) FILTER (WHERE status = 'PROCESSING')::int AS running
      FROM jobs WHERE queue = $1 AND admitted_at IS NOT NULL) a
   WHERE q.name = $1`,
};

export function createJobSchedule(database: DataSource): JobSchedule {
  const credits = new Map<QueueName, Credits>();
  return {
    admit: (request) => {
      const mine = credits.get(request.queue) ?? new Map();
      credits.set(request.queue, mine);
      return whenReachable(() => admit(database, request, mine));
    },

    async recordTasks(tasks) {
      if (tasks.length === 0) return;
      await database.query(
        `UPDATE jobs SET task_sequence = o.sequence
           FROM unnest($1::text[], $2::int[], $3::bigint[]) AS o (id, publication, sequence)
          WHERE jobs.id = o.id AND jobs.publication = o.publication AND jobs.admitted_at IS NOT NULL`,
        [tasks.map((o) => o.id), tasks.map((o) => o.publication), tasks.map((o) => o.sequence)],
      );
    },

    async unpublished(olderThan, limit) {
      const rows = await database
        .createQueryBuilder(JobTable, 'job')
        .where('job.admitted_at < :olderThan AND job.task_sequence IS NULL AND job.status = :status', {
          olderThan,
          status: 'QUEUED',
        })
        .limit(limit)
        .getMany();
      return rows.map(toAdmittedJob);
    },

    async withdraw(queue) {
      const [rows]: [{ sequence: string | null }[]] = await database.query(
        `WITH before AS (SELECT id, task_sequence FROM jobs
            WHERE queue = $1 AND status = 'QUEUED' AND admitted_at IS NOT NULL FOR UPDATE)
         UPDATE jobs SET admitted_at = NULL, task_sequence = NULL FROM before WHERE jobs.id = before.id
         RETURNING before.task_sequence AS sequence`,
        [queue],
      );
      return rows.flatMap((row) => (row.sequence === null ? [] : [Number(row.sequence)]));
    },

    async failOver(queue, now) {
      const rows: { sequence: string | null }[] = await database.query(
        `WITH waiting AS (SELECT id, task_sequence FROM jobs
            WHERE queue = $1 AND status = 'QUEUED' AND cardinality(engines) > engine_index + 1
            ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED),
         moved AS (UPDATE jobs SET engine_index = engine_index + 1, queue = lower(engines[engine_index + 2]), failures = 0,
             admitted_at = NULL, task_sequence = NULL, revision = revision + 1, updated_at = $2
           FROM waiting WHERE jobs.id = waiting.id
         RETURNING jobs.id, jobs.queue, waiting.task_sequence)
         SELECT task_sequence AS sequence, pg_notify('${CHANNELS.jobChanged}', id),
             pg_notify('${CHANNELS.jobsWaiting}', queue) FROM moved`,
        [queue, now],
      );
      return rows.flatMap((row) => (row.sequence === null ? [] : [Number(row.sequence)]));
    },

    wakeDue: (now) => wakeDue(database, now),

    async silent(silentSince, afterId, limit) {
      const rows: (Omit<SilentJob, 'priority' | 'taskSequence'> & {
        priority: number;
        taskSequence: string | null;
      })[] = await database.query(
        `SELECT id, queue, priority, status, attempt, task_sequence AS "taskSequence"
             FROM jobs WHERE admitted_at IS NOT NULL AND greatest(admitted_at, last_event_at) < $1 AND id > $2
            ORDER BY id LIMIT $3`,
        [silentSince, afterId, limit],
      );
      return rows.map((row) => ({
        ...row,
        priority: priorityOf(row.priority),
        taskSequence: row.taskSequence === null ? null : Number(row.taskSequence),
      }));
    },

    admitted: (afterId, limit) =>
      ids(database, 'SELECT id FROM jobs WHERE admitted_at IS NOT NULL AND id > $1 ORDER BY id LIMIT $2', [
        afterId,
        limit,
      ]),

    async readmit(id) {
      const [rows]: [{ id: string }[]] = await database.query(
        `UPDATE jobs SET publication = publication + 1, task_sequence = NULL
          WHERE id = $1 AND admitted_at IS NOT NULL AND status IN ('QUEUED', 'PROCESSING') RETURNING id`,
        [id],
      );
      if (rows.length === 0) return null;
      const row = await database.getRepository(JobTable).findOneBy({ id });
      return row === null ? null : toAdmittedJob(row);
    },

    cancelsPending: (afterId, limit) =>
      ids(
        database,
        // Waiting ones first: a run that lets go frees the slot in which they would begin.
        `SELECT id FROM (SELECT id, status FROM jobs
            WHERE cancel_requested_at IS NOT NULL AND status IN ('QUEUED', 'PROCESSING') AND id > $1
            ORDER BY id LIMIT $2) AS batch
          ORDER BY status DESC, id`,
        [afterId, limit],
      ),

    pastDeadline: (now, afterId, limit) =>
      ids(
        database,
        `SELECT id FROM jobs WHERE deadline IS NOT NULL AND status IN ('SCHEDULED', 'QUEUED', 'RETRYING')
            AND deadline <= $1 AND id > $2 ORDER BY id LIMIT $3`,
        [now, afterId, limit],
      ),

    expired: (now, limit) =>
      ids(database, 'SELECT id FROM jobs WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2', [now, limit]),

    async offset() {
      const [row] = await database.query('SELECT stream_epoch, sequence, message_id FROM projector_offset');
      if (row === undefined) return null;
      return { epoch: row.stream_epoch, sequence: Number(row.sequence), messageId: row.message_id };
    },
  };
}

async function ids(
  database: DataSource,
  sql: string,
  parameters: readonly unknown[],
): Promise<readonly string[]> {
  const rows: { id: string }[] = await database.query(sql, [...parameters]);
  return rows.map((row) => row.id);
}

type WaitingRow = Omit<WaitingJob, 'priority'> & { priority: number };

async function admit(
  database: DataSource,
  request: AdmissionRequest,
  credits: Credits,
): Promise<readonly AdmittedJob[]> {
  const { queue, readyTarget, now } = request;
  const [free] = await queryPrepared<{ places: number }>(database, FREE_PLACES, [queue, readyTarget]);
  const places = free?.places ?? 0;
  if (places === 0) return [];
  const waiting = await queryPrepared<WaitingRow>(database, CANDIDATES, [queue, places]);
  const chosen = chooseFairly(
    waiting.map((job) => ({ ...job, priority: priorityOf(job.priority) })),
    places,
    credits,
  );
  if (chosen.length === 0) return [];
  const [admitted]: [Record<string, unknown>[]] = await database.query(
    `UPDATE jobs SET admitted_at = $2, publication = publication + 1, task_sequence = NULL
       WHERE id IN (SELECT id FROM jobs WHERE id = ANY($1) AND status = 'QUEUED' AND admitted_at IS NULL
         FOR UPDATE SKIP LOCKED)
     RETURNING *`,
    [chosen, now],
  );
  const byId = new Map(admitted.map((raw) => [raw.id, toAdmittedJob(toJobRow(raw))]));
  return chosen.flatMap((id) => byId.get(id) ?? []);
}

async function wakeDue(database: DataSource, now: Date): ReturnType<JobSchedule['wakeDue']> {
  const rows: unknown[] = await database.query(
    `WITH woken AS (UPDATE jobs SET status = 'QUEUED', next_attempt_at = NULL, failure = NULL, failure_kind = NULL,
         failure_at = NULL, failure_fingerprint = NULL, queued_at = $1, updated_at = $1, revision = revision + 1
      WHERE id IN (SELECT id FROM jobs
          WHERE id IN (
            (SELECT id FROM jobs WHERE status = 'RETRYING' AND next_attempt_at <= $1 ORDER BY next_attempt_at LIMIT 500)
            UNION ALL
            (SELECT id FROM jobs WHERE status = 'SCHEDULED' AND scheduled_for <= $1 ORDER BY scheduled_for LIMIT 500))
          AND status IN ('RETRYING', 'SCHEDULED')
          FOR UPDATE SKIP LOCKED)
      RETURNING id)
     SELECT pg_notify('${CHANNELS.jobChanged}', id) FROM woken`,
    [now],
  );
  const [next]: { at: Date | null }[] = await database.query(
    `SELECT least((SELECT min(next_attempt_at) FROM jobs WHERE status = 'RETRYING'),
                  (SELECT min(scheduled_for) FROM jobs WHERE status = 'SCHEDULED')) AS at`,
  );
  return { woken: rows.length, nextDueAt: next?.at ?? null };
}

/** What the loops ask of the store, set-based and index-bound. */
export interface JobSchedule {
  /** Marks up to the free places of the queue as admitted, fairly, and returns them for publication. */
  admit(request: AdmissionRequest): Promise<readonly AdmittedJob[]>;
  recordTasks(
    tasks: readonly { readonly id: string; readonly publication: number; readonly sequence: number }[],
  ): Promise<void>;
  /** Jobs that were admitted but whose task's publication was never recorded. */
  unpublished(olderThan: Date, limit: number): Promise<readonly AdmittedJob[]>;
  /** Gives jobs that have not started back to the waiting ones; returns the sequences of their tasks. */
  withdraw(queue: QueueName): Promise<readonly number[]>;
  /**
   * Moves jobs that wait for an engine to the next one of their lists, where they have one; returns the sequences
   * of tasks that are void now.
   */
  failOver(queue: QueueName, now: Date): Promise<readonly number[]>;
  /** SCHEDULED and RETRYING jobs whose time has come become QUEUED; returns when the next is due. */
  wakeDue(now: Date): Promise<{ readonly woken: number; readonly nextDueAt: Date | null }>;
  /** Admitted jobs without an event since `silentSince`, in the order of their ids, after `afterId`. */
  silent(silentSince: Date, afterId: string, limit: number): Promise<readonly SilentJob[]>;
  /** Ids of admitted jobs, in order, after `afterId`. */
  admitted(afterId: string, limit: number): Promise<readonly string[]>;
  /** Raises `run` of an admitted job and returns its new task. */
  readmit(id: string): Promise<AdmittedJob | null>;
  /** Ids after `afterId` of jobs in the broker that are asked to stop; of one batch, those that wait come first. */
  cancelsPending(afterId: string, limit: number): Promise<readonly string[]>;
  /** Ids of jobs that wait although their deadline is over, in order, after `afterId`. */
  pastDeadline(now: Date, afterId: string, limit: number): Promise<readonly string[]>;
  expired(now: Date, limit: number): Promise<readonly string[]>;
  offset(): Promise<ProjectorOffset | null>;
}

export interface SilentJob {
  readonly id: string;
  readonly queue: QueueName;
  readonly priority: JobPriority;
  readonly status: 'QUEUED' | 'PROCESSING';
  readonly attempt: number;
  readonly taskSequence: number | null;
}

export interface AdmissionRequest {
  readonly queue: QueueName;
  /** Tasks that may wait in JetStream, not counting running jobs. */
  readonly readyTarget: number;
  readonly now: Date;
}
