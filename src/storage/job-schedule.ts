import type { AdmittedJob } from '../domain/admitted-job.ts';
import type { WaitingJob } from '../domain/fairness.ts';
import type { QueueName } from '../domain/vocabulary.ts';
import { CHANNELS } from './channels.ts';
import type { Database } from './database.ts';
import { priorityOf, toAdmittedJob } from './job-rows.ts';
import { toJobRow } from './job-sql.ts';
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

export type JobSchedule = ReturnType<typeof createJobSchedule>;

/**
 * Moves of many waiting jobs at once. Each statement does to every row what the table of domain/lifecycle.ts does to
 * one job; test/integration/storage/job-schedule.property.test.ts compares the two.
 */
export function createJobSchedule(database: Database) {
  return {
    /** @param readyTarget Tasks that may wait in JetStream, not counting running jobs. */
    async freePlaces(queue: QueueName, readyTarget: number): Promise<number> {
      const [row] = await database.queryPrepared<{ places: number }>(FREE_PLACES, [queue, readyTarget]);
      return row?.places ?? 0;
    },

    /** The jobs that a fair choice for so many places could take, each tenant's oldest first. */
    async candidates(queue: QueueName, places: number): Promise<readonly WaitingJob[]> {
      const rows = await database.queryPrepared<Omit<WaitingJob, 'priority'> & { priority: number }>(
        CANDIDATES,
        [queue, places],
      );
      return rows.map((row) => ({ ...row, priority: priorityOf(row.priority) }));
    },

    /** Marks jobs as admitted and returns them in the given order, without those that no longer wait. */
    async admit(ids: readonly string[], now: Date): Promise<readonly AdmittedJob[]> {
      if (ids.length === 0) return [];
      // Two servers that admit at the same time each get the rows that they lock first.
      const [rows]: [Record<string, unknown>[]] = await database.query(
        `UPDATE jobs SET admitted_at = $2, publication = publication + 1, task_sequence = NULL
           WHERE id IN (SELECT id FROM jobs WHERE id = ANY($1) AND status = 'QUEUED' AND admitted_at IS NULL
             FOR UPDATE SKIP LOCKED)
         RETURNING *`,
        [ids, now],
      );
      const byId = new Map(rows.map((raw) => [raw.id, toAdmittedJob(toJobRow(raw))]));
      return ids.flatMap((id) => byId.get(id) ?? []);
    },

    /** Notes where tasks are in TASKS; a publication that was overtaken by another is left out. */
    async recordTasks(
      tasks: readonly { readonly id: string; readonly publication: number; readonly sequence: number }[],
    ): Promise<void> {
      if (tasks.length === 0) return;
      await database.query(
        `UPDATE jobs SET task_sequence = t.sequence
           FROM unnest($1::text[], $2::int[], $3::bigint[]) AS t (id, publication, sequence)
          WHERE jobs.id = t.id AND jobs.publication = t.publication AND jobs.admitted_at IS NOT NULL`,
        [
          tasks.map((task) => task.id),
          tasks.map((task) => task.publication),
          tasks.map((task) => task.sequence),
        ],
      );
    },

    /** Jobs that were admitted but whose task was never recorded. */
    async unpublished(olderThan: Date, limit: number): Promise<readonly AdmittedJob[]> {
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

    /** Raises `publication` of an admitted job and returns its new task; null when the job is not admitted. */
    async readmit(id: string): Promise<AdmittedJob | null> {
      const [[row]]: [Record<string, unknown>[]] = await database.query(
        `UPDATE jobs SET publication = publication + 1, task_sequence = NULL
          WHERE id = $1 AND admitted_at IS NOT NULL AND status IN ('QUEUED', 'PROCESSING') RETURNING *`,
        [id],
      );
      return row === undefined ? null : toAdmittedJob(toJobRow(row));
    },

    /** Takes the admission back from jobs that have not started; returns the sequences of their tasks. */
    async withdraw(queue: QueueName): Promise<readonly number[]> {
      // RETURNING shows the new row, so the old sequences are read first, under the same lock.
      const [rows]: [{ sequence: string | null }[]] = await database.query(
        `WITH before AS (SELECT id, task_sequence FROM jobs
            WHERE queue = $1 AND status = 'QUEUED' AND admitted_at IS NOT NULL FOR UPDATE)
         UPDATE jobs SET admitted_at = NULL, task_sequence = NULL FROM before WHERE jobs.id = before.id
         RETURNING before.task_sequence AS sequence`,
        [queue],
      );
      return sequencesIn(rows);
    },

    /**
     * Moves up to 1,000 jobs that wait for an engine to the next engine of their lists; returns the sequences of the
     * tasks that this makes void.
     */
    async failOver(queue: QueueName, now: Date): Promise<readonly number[]> {
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
      return sequencesIn(rows);
    },

    /** SCHEDULED and RETRYING jobs whose time has come become QUEUED, up to 500 of each. */
    async wakeDue(now: Date): Promise<{ readonly woken: number; readonly nextDueAt: Date | null }> {
      // The inner status check is repeated under the lock: another transaction may have moved the row meanwhile.
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
    },
  };
}

function sequencesIn(rows: readonly { readonly sequence: string | null }[]): readonly number[] {
  return rows.flatMap(({ sequence }) => (sequence === null ? [] : [Number(sequence)]));
}
