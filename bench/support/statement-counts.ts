import type pg from 'pg';

export interface StatementCounts {
  /** Round trips of clients: statements, transaction control among them. */
  readonly statements: number;
  readonly commits: number;
  /** How often the write-ahead log was brought to the disk. */
  readonly walFlushes: number;
  readonly kinds: readonly StatementKind[];
}

interface StatementKind {
  readonly text: string;
  readonly calls: number;
  readonly totalMs: number;
}

/** All but those of the measurement itself, which read the server's statistics. */
const READ_KINDS = `SELECT query AS text, sum(calls)::int AS calls, sum(total_exec_time) AS "totalMs"
  FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_%' GROUP BY query ORDER BY calls DESC`;
const READ_TOTALS = `SELECT
  (SELECT xact_commit::int FROM pg_stat_database WHERE datname = current_database()) AS commits,
  (SELECT coalesce(sum(fsyncs), 0)::int FROM pg_stat_io WHERE object = 'wal') AS "walFlushes"`;
/** Backends hand in what they counted when they have been idle for a moment. */
const SETTLE_MS = 1200;

/**
 * What clients of the database do while `work` runs, by `pg_stat_statements` and the server's own counters.
 *
 * @param pool Of the database, with one connection for this alone.
 */
export async function countingStatements<Result>(
  pool: pg.Pool,
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly counts: StatementCounts }> {
  const before = await readTotals(pool);
  await pool.query('SELECT pg_stat_statements_reset()');
  const result = await work();
  const { rows: kinds } = await pool.query<StatementKind>(READ_KINDS);
  const after = await readTotals(pool);
  return {
    result,
    counts: {
      statements: kinds.reduce((sum, { calls }) => sum + calls, 0),
      commits: after.commits - before.commits,
      walFlushes: after.walFlushes - before.walFlushes,
      kinds,
    },
  };
}

async function readTotals(pool: pg.Pool): Promise<{ commits: number; walFlushes: number }> {
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const { rows } = await pool.query(READ_TOTALS);
  return rows[0];
}
