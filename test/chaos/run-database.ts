import pg from 'pg';
import type { Failure, JobStatus } from '../../src/domain/vocabulary.ts';

export interface JobState {
  readonly id: string;
  readonly number: number;
  readonly status: JobStatus;
  readonly attempt: number;
  readonly lostRuns: number;
  readonly failure: Failure | null;
  readonly deadLetteredAt: Date | null;
  readonly segmentCount: number;
}

export interface StoredSegment {
  readonly index: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
}

/** Reads the tables for the audit, with one connection per query, since the database restarts often. */
export class RunDatabase {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** Sequences of tasks that JetStream may hold now. */
  async taskSequences(): Promise<readonly number[]> {
    const rows = await this.query<{ sequence: string }>(
      'SELECT task_sequence AS sequence FROM jobs WHERE task_sequence IS NOT NULL AND admitted_at IS NOT NULL ORDER BY id',
    );
    return rows.map((row) => Number(row.sequence));
  }

  async unfinished(): Promise<number> {
    const [row] = await this.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM jobs WHERE status NOT IN ('COMPLETED', 'FAILED', 'CANCELED')`,
    );
    return row?.count ?? 0;
  }

  jobs(): Promise<readonly JobState[]> {
    return this.query<JobState>(
      `SELECT id, (metadata->>'number')::int AS number, status, attempt, lost_runs AS "lostRuns", failure,
          dead_lettered_at AS "deadLetteredAt", segment_count AS "segmentCount" FROM jobs ORDER BY id`,
    );
  }

  async segments(): Promise<ReadonlyMap<string, readonly StoredSegment[]>> {
    const rows = await this.query<StoredSegment & { jobId: string }>(
      `SELECT job_id AS "jobId", index, start_ms AS "startMs", end_ms AS "endMs", text FROM segments
        ORDER BY job_id, index`,
    );
    const byJob = new Map<string, StoredSegment[]>();
    for (const row of rows) {
      const segments = byJob.get(row.jobId);
      if (segments === undefined) byJob.set(row.jobId, [row]);
      else segments.push(row);
    }
    return byJob;
  }

  async projectedTo(): Promise<number> {
    const [row] = await this.query<{ sequence: string }>('SELECT sequence FROM projector_offset');
    return Number(row?.sequence ?? 0);
  }

  async quarantined(): Promise<readonly string[]> {
    const rows = await this.query<{ job_id: string; error: string }>(
      'SELECT job_id, error FROM event_quarantine',
    );
    return rows.map((row) => `${row.job_id}: ${row.error}`);
  }

  async query<Row extends pg.QueryResultRow>(sql: string, parameters: unknown[] = []): Promise<Row[]> {
    const client = new pg.Client({
      connectionString: this.#url,
      connectionTimeoutMillis: 5000,
      query_timeout: 20_000,
    });
    // The failed query reports the same error.
    client.on('error', () => undefined);
    try {
      await client.connect();
      return (await client.query<Row>(sql, parameters)).rows;
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}
