import type { ObjectLiteral, SelectQueryBuilder } from 'typeorm';
import type { DateRange, JobFilter } from '../domain/job-list.ts';
import { rankOf } from './job-rows.ts';

/** Restricts a query over `jobs`, aliased `job`, to the tenant and the filter. */
export function filterJobs<Row extends ObjectLiteral>(
  query: SelectQueryBuilder<Row>,
  tenantId: string,
  filter: JobFilter,
): SelectQueryBuilder<Row> {
  query.andWhere('job.tenant_id = :tenantId', { tenantId });
  anyOf(query, 'job.status', 'status', filter.status);
  anyOf(query, 'job.queue', 'queue', filter.queue);
  anyOf(query, 'job.priority', 'priority', filter.priority?.map(rankOf));
  anyOf(query, 'job.model', 'model', filter.model);
  anyOf(query, 'coalesce(job.language, job.detected_language)', 'language', filter.language);
  anyOf(query, 'job.external_id', 'externalId', filter.externalId);
  anyOf(query, 'job.failure_kind', 'failureKind', filter.failureKind);
  if (filter.tags != null) query.andWhere('job.tags && :tags', { tags: filter.tags });
  if (filter.engine != null) query.andWhere('job.engines && :engines', { engines: filter.engine });
  if (filter.deadLettered != null) {
    query.andWhere(`job.dead_lettered_at IS ${filter.deadLettered ? 'NOT NULL' : 'NULL'}`);
  }
  if (filter.workerId != null) query.andWhere('job.worker_id = :workerId', { workerId: filter.workerId });
  within(query, 'job.submitted_at', 'submitted', filter.submittedAt);
  within(query, 'job.finished_at', 'finished', filter.finishedAt);
  if (filter.search != null) search(query, filter.search);
  return query;
}

function anyOf<Row extends ObjectLiteral>(
  query: SelectQueryBuilder<Row>,
  column: string,
  name: string,
  values: readonly unknown[] | null | undefined,
): void {
  if (values != null) query.andWhere(`${column} = ANY(:${name})`, { [name]: values });
}

const BOUNDS = { gte: '>=', gt: '>', lte: '<=', lt: '<' } as const;

function within<Row extends ObjectLiteral>(
  query: SelectQueryBuilder<Row>,
  column: string,
  name: string,
  range: DateRange | null | undefined,
): void {
  for (const [bound, operator] of Object.entries(BOUNDS)) {
    const value = range?.[bound as keyof typeof BOUNDS];
    if (value != null)
      query.andWhere(`${column} ${operator} :${name}_${bound}`, { [`${name}_${bound}`]: value });
  }
}

/** Prefix search in the id, the external id, the file name (in any case) and the tags. */
function search<Row extends ObjectLiteral>(query: SelectQueryBuilder<Row>, text: string): void {
  const prefix = `${text.replace(/[\\%_]/g, '\\$&')}%`;
  query.andWhere(
    `(job.id LIKE :prefix OR job.external_id LIKE :prefix OR lower(job.audio_filename) LIKE lower(:prefix)
      OR EXISTS (SELECT 1 FROM unnest(job.tags) AS tag WHERE tag LIKE :prefix))`,
    { prefix },
  );
}
