import type { Failure } from '../domain/vocabulary.ts';
import type { Database } from './database.ts';

export type JobChecks = ReturnType<typeof createJobChecks>;

/**
 * Jobs that the reconciler looks after. Each list is in the order of ids and continues after `afterId`, so that jobs
 * which stay on it don't hide the others; each reads a partial index.
 */
export function createJobChecks(database: Database) {
  return {
    /** Admitted jobs without an event since `silentSince`. */
    async silent(silentSince: Date, afterId: string, limit: number): Promise<readonly SilentJob[]> {
      const rows: (Omit<SilentJob, 'taskSequence'> & { taskSequence: string | null })[] =
        await database.query(
          `SELECT id, status, attempt, task_sequence AS "taskSequence"
           FROM jobs WHERE admitted_at IS NOT NULL AND greatest(admitted_at, last_event_at) < $1 AND id > $2
          ORDER BY id LIMIT $3`,
          [silentSince, afterId, limit],
        );
      return rows.map((row) => ({
        ...row,
        taskSequence: row.taskSequence === null ? null : Number(row.taskSequence),
      }));
    },

    admitted: (afterId: string, limit: number): Promise<readonly string[]> =>
      idsOf(
        database,
        'SELECT id FROM jobs WHERE admitted_at IS NOT NULL AND id > $1 ORDER BY id LIMIT $2',
        afterId,
        limit,
      ),

    /** Jobs that a broken event ended, and whose chain does not say so yet. */
    async brokenChains(limit: number): Promise<readonly BrokenChain[]> {
      return database.query(
        `SELECT DISTINCT ON (q.job_id) q.job_id AS id, coalesce(j.attempt, 0) AS attempt, j.failure
           FROM event_quarantine q LEFT JOIN jobs j ON j.id = q.job_id
          WHERE NOT q.chain_ended ORDER BY q.job_id LIMIT $1`,
        [limit],
      );
    },

    async noteChainEnded(id: string): Promise<void> {
      await database.query('UPDATE event_quarantine SET chain_ended = true WHERE job_id = $1', [id]);
    },

    /** Jobs in the broker that are asked to stop; of one batch, those that wait come first. */
    cancelsPending: (afterId: string, limit: number): Promise<readonly string[]> =>
      idsOf(
        database,
        // A run that stops frees the slot in which a waiting job would start.
        `SELECT id FROM (SELECT id, status FROM jobs
            WHERE cancel_requested_at IS NOT NULL AND status IN ('QUEUED', 'PROCESSING') AND id > $1
            ORDER BY id LIMIT $2) AS batch
          ORDER BY status DESC, id`,
        afterId,
        limit,
      ),

    /** Jobs that wait although their deadline has passed. A run keeps to its deadline itself. */
    pastDeadline: (now: Date, afterId: string, limit: number): Promise<readonly string[]> =>
      idsOf(
        database,
        `SELECT id FROM jobs WHERE deadline IS NOT NULL AND status IN ('SCHEDULED', 'QUEUED', 'RETRYING')
            AND id > $1 AND deadline <= $3 ORDER BY id LIMIT $2`,
        afterId,
        limit,
        now,
      ),
  };
}

export interface BrokenChain {
  readonly id: string;
  readonly attempt: number;
  /** Null where the job was deleted or retried since. */
  readonly failure: Failure | null;
}

export interface SilentJob {
  readonly id: string;
  readonly status: 'QUEUED' | 'PROCESSING';
  readonly attempt: number;
  readonly taskSequence: number | null;
}

async function idsOf(
  database: Database,
  sql: string,
  ...parameters: readonly unknown[]
): Promise<readonly string[]> {
  const rows: { id: string }[] = await database.query(sql, [...parameters]);
  return rows.map((row) => row.id);
}
