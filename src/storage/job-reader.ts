import type { JobFilter, JobListQuery, Page } from '../domain/job-list.ts';
import type { AttemptView, FailureGroupView, JobView, QueuePosition } from '../domain/job-view.ts';
import type { Segment } from '../domain/transcript.ts';
import type { JobStatus } from '../domain/vocabulary.ts';
import type { Database } from './database.ts';
import { filterJobs } from './job-filter.ts';
import { pageOfJobs } from './job-pages.ts';
import { toJobRow } from './job-sql.ts';
import { toAttemptView, toJobView } from './job-views.ts';
import { AttemptTable, JobTable, SegmentTable } from './tables.ts';

/** In a statement whose $1 is a job and $2 a tenant; Postgres checks it once, not for each row. */
const OWN_JOB = 'EXISTS (SELECT 1 FROM jobs WHERE id = $1 AND tenant_id = $2)';

/** Read models, one question each; all of one tenant. */
export function createJobReader(database: Database) {
  const filtered = (tenantId: string, filter: JobFilter) =>
    filterJobs(database.createQueryBuilder(JobTable, 'job'), tenantId, filter);

  return {
    async find(tenantId: string, ids: readonly string[]): Promise<ReadonlyMap<string, JobView>> {
      if (ids.length === 0) return new Map();
      const raw: Record<string, unknown>[] = await database.query(
        'SELECT * FROM jobs WHERE id = ANY($1) AND tenant_id = $2',
        [ids, tenantId],
      );
      const views = raw.map((row) => toJobView(toJobRow(row)));
      return new Map(views.map((view) => [view.id, view]));
    },

    async findByExternalId(tenantId: string, externalId: string): Promise<JobView | null> {
      const row = await database.getRepository(JobTable).findOneBy({ tenantId, externalId });
      return row === null ? null : toJobView(row);
    },

    list: (tenantId: string, query: JobListQuery): Promise<Page<JobView>> =>
      pageOfJobs(database, tenantId, query),

    /** Exact up to `cap`; null above. */
    async count(tenantId: string, filter: JobFilter, cap: number): Promise<number | null> {
      const inner = filtered(tenantId, filter)
        .select('1')
        .limit(cap + 1);
      const [sql, parameters] = inner.getQueryAndParameters();
      const [row]: { count: number }[] = await database.query(
        `SELECT count(*)::int AS count FROM (${sql}) AS few`,
        parameters,
      );
      const count = row?.count ?? 0;
      return count > cap ? null : count;
    },

    async countByStatus(
      tenantId: string,
      filter: JobFilter,
    ): Promise<readonly { readonly status: JobStatus; readonly count: number }[]> {
      return filtered(tenantId, filter)
        .select('job.status', 'status')
        .addSelect('count(*)::int', 'count')
        .groupBy('job.status')
        .getRawMany<{ status: JobStatus; count: number }>();
    },

    async ids(tenantId: string, filter: JobFilter, limit: number): Promise<readonly string[]> {
      const rows = await filtered(tenantId, filter)
        .select('job.id', 'id')
        .orderBy('job.id')
        .limit(limit)
        .getRawMany<{ id: string }>();
      return rows.map((row) => row.id);
    },

    /** The first attempt first; jobs without one are missing in the answer. */
    async attempts(
      tenantId: string,
      jobIds: readonly string[],
    ): Promise<ReadonlyMap<string, readonly AttemptView[]>> {
      const rows = await database
        .createQueryBuilder(AttemptTable, 'attempt')
        .where('attempt.job_id = ANY(:jobIds)', { jobIds })
        .andWhere('EXISTS (SELECT 1 FROM jobs WHERE id = attempt.job_id AND tenant_id = :tenantId)', {
          tenantId,
        })
        .orderBy('attempt.job_id')
        .addOrderBy('attempt.number')
        .getMany();
      return groupByJob(rows);
    },

    /** 1-based places of QUEUED jobs among those of their queue; absent when unknown. */
    queuePositions: (tenantId: string, jobIds: readonly string[]) =>
      queuePositions(database, tenantId, jobIds),

    async segments(
      tenantId: string,
      jobId: string,
      fromIndex: number,
      limit: number,
    ): Promise<readonly Segment[]> {
      const rows = await database
        .createQueryBuilder(SegmentTable, 'segment')
        .where('segment.job_id = :jobId AND segment.index >= :fromIndex', { jobId, fromIndex })
        .andWhere('EXISTS (SELECT 1 FROM jobs WHERE id = :jobId AND tenant_id = :tenantId)', { tenantId })
        .orderBy('segment.index')
        .limit(limit)
        .getMany();
      return rows.map(({ jobId: _jobId, ...segment }) => segment);
    },

    /** In the order in which they first speak. */
    async speakers(
      tenantId: string,
      jobId: string,
    ): Promise<readonly { readonly id: string; readonly totalMs: number }[]> {
      const rows: { id: string; totalMs: string }[] = await database.query(
        `SELECT speaker AS id, sum(end_ms - start_ms) AS "totalMs" FROM segments
          WHERE job_id = $1 AND speaker IS NOT NULL AND ${OWN_JOB} GROUP BY speaker ORDER BY min(index)`,
        [jobId, tenantId],
      );
      return rows.map((row) => ({ id: row.id, totalMs: Number(row.totalMs) }));
    },

    /** Null above `maxBytes` of UTF-8. */
    async text(tenantId: string, jobId: string, maxBytes: number): Promise<string | null> {
      const [row]: { bytes: string | null }[] = await database.query(
        `SELECT sum(octet_length(text) + 1) AS bytes FROM segments WHERE job_id = $1 AND ${OWN_JOB}`,
        [jobId, tenantId],
      );
      if (Number(row?.bytes ?? 0) > maxBytes) return null;
      const [joined]: { text: string | null }[] = await database.query(
        `SELECT string_agg(btrim(text), ' ' ORDER BY index) AS text FROM segments
          WHERE job_id = $1 AND btrim(text) <> '' AND ${OWN_JOB}`,
        [jobId, tenantId],
      );
      return joined?.text ?? '';
    },

    async failureGroups(
      tenantId: string,
      filter: JobFilter,
      first: number,
    ): Promise<readonly FailureGroupView[]> {
      const rows = await filtered(tenantId, filter)
        .andWhere(`job.status = 'FAILED'`)
        .select('job.failure_fingerprint', 'fingerprint')
        .addSelect('min(job.failure_kind)', 'kind')
        .addSelect(`min(job.failure ->> 'message')`, 'message')
        .addSelect('count(*)::int', 'count')
        .addSelect('min(job.failure_at)', 'firstSeenAt')
        .addSelect('max(job.failure_at)', 'lastSeenAt')
        .addSelect('(array_agg(job.id ORDER BY job.failure_at DESC))[1:5]', 'sampleJobIds')
        .groupBy('job.failure_fingerprint')
        .orderBy('count', 'DESC')
        .limit(first)
        .getRawMany();
      return rows;
    },
  };
}

function groupByJob(
  rows: readonly Parameters<typeof toAttemptView>[0][],
): Map<string, ReturnType<typeof toAttemptView>[]> {
  const byJob = new Map<string, ReturnType<typeof toAttemptView>[]>();
  for (const row of rows) byJob.set(row.jobId, [...(byJob.get(row.jobId) ?? []), toAttemptView(row)]);
  return byJob;
}

/** Jobs of any tenant as the hub keeps them. */
export async function readSnapshots(
  database: Database,
  jobIds: readonly string[],
): Promise<
  ReadonlyMap<string, { readonly view: JobView; readonly generation: number; readonly segmentCount: number }>
> {
  const raw: Record<string, unknown>[] = await database.query('SELECT * FROM jobs WHERE id = ANY($1)', [
    jobIds,
  ]);
  return new Map(
    raw
      .map(toJobRow)
      .map((row) => [
        row.id,
        { view: toJobView(row), generation: row.generation, segmentCount: row.segmentCount },
      ]),
  );
}

/** Positions are not counted further: such a count is slow, and out of date at once. */
const MAX_POSITION = 10_000;

async function queuePositions(
  database: Database,
  tenantId: string,
  jobIds: readonly string[],
): Promise<ReadonlyMap<string, QueuePosition>> {
  const rows: { id: string; ahead: number; startsAt: Date | null }[] = await database.query(
    `SELECT j.id, ahead.jobs AS ahead,
        CASE WHEN pace.ms IS NULL THEN NULL ELSE now() + make_interval(secs => pace.ms / 1000.0 * ahead.jobs) END AS "startsAt"
       FROM jobs j
       CROSS JOIN LATERAL (SELECT count(*)::int AS jobs FROM (
         (SELECT 1 FROM jobs r WHERE r.queue = j.queue AND r.admitted_at IS NOT NULL AND r.status = 'QUEUED' AND r.id <> j.id
            AND (j.admitted_at IS NULL OR (r.priority, -extract(epoch FROM r.queued_at)) > (j.priority, -extract(epoch FROM j.queued_at))))
         UNION ALL
         (SELECT 1 FROM jobs w WHERE j.admitted_at IS NULL AND w.status = 'QUEUED' AND w.admitted_at IS NULL AND w.queue = j.queue
            AND w.priority >= j.priority AND (w.priority > j.priority OR (w.queued_at, w.id) < (j.queued_at, j.id))
          LIMIT ${MAX_POSITION})) AS few) AS ahead
       -- The mean time between the starts of the last jobs of the queue.
       LEFT JOIN LATERAL (SELECT extract(epoch FROM max(started_at) - min(started_at)) * 1000 / nullif(count(*) - 1, 0) AS ms
         FROM (SELECT started_at FROM jobs s WHERE s.queue = j.queue AND s.tenant_id = j.tenant_id AND s.started_at > now() - interval '1 hour'
           ORDER BY started_at DESC NULLS LAST LIMIT 50) AS recent) AS pace ON true
      WHERE j.id = ANY($1) AND j.tenant_id = $2 AND j.status = 'QUEUED'`,
    [jobIds, tenantId],
  );
  return new Map(
    rows
      .filter((row) => row.ahead < MAX_POSITION)
      .map((row) => [row.id, { position: row.ahead + 1, estimatedStartAt: row.startsAt }]),
  );
}
