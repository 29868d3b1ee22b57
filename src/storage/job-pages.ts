import type { DataSource } from 'typeorm';
import type { JobListQuery, JobOrderField, JobView, Page } from '../app/application.ts';
import { ValidationError } from '../domain/errors.ts';
import { filterJobs } from './job-filter.ts';
import { toJobView } from './job-views.ts';
import { type JobRow, JobTable } from './tables.ts';

const DEFAULT_PAGE_SIZE = 20;

const ORDER_COLUMNS = {
  SUBMITTED_AT: { column: 'submitted_at', sortValueOf: (row: JobRow) => row.submittedAt },
  STARTED_AT: { column: 'started_at', sortValueOf: (row: JobRow) => row.startedAt },
  FINISHED_AT: { column: 'finished_at', sortValueOf: (row: JobRow) => row.finishedAt },
  AUDIO_DURATION: { column: 'audio_duration_ms', sortValueOf: (row: JobRow) => row.audioDurationMs },
} as const;

/** Where a page begins: the ordered value and the id of the row before it. */
interface Position {
  readonly value: string | number | null;
  readonly id: string;
}

/**
 * A page by keyset: rows after the cursor's (value, id), so that rows inserted or removed meanwhile neither repeat nor
 * hide others. Jobs without a value come last, whatever the direction.
 *
 * @throws ValidationError for a cursor that is none of ours or belongs to another order.
 */
export async function pageOfJobs(
  database: DataSource,
  tenantId: string,
  query: JobListQuery,
): Promise<Page<JobView>> {
  const { field, direction } = query.orderBy;
  const backward = query.last != null;
  const size = (backward ? query.last : query.first) ?? DEFAULT_PAGE_SIZE;
  const { column, sortValueOf } = ORDER_COLUMNS[field];
  const sql = filterJobs(database.createQueryBuilder(JobTable, 'job'), tenantId, query.filter);

  const after = decodeCursor(query.after, field, 'after');
  const before = decodeCursor(query.before, field, 'before');
  const order = { column: `job.${column}`, direction };
  if (after !== null) sql.andWhere(...beyond(order, after, 'after'));
  if (before !== null)
    sql.andWhere(...beyond({ ...order, direction: opposite(direction) }, before, 'before'));

  const sorting = backward ? opposite(direction) : direction;
  // Nulls last going forward means nulls first going backward.
  const nulls = backward ? 'NULLS FIRST' : 'NULLS LAST';
  const rows = await sql
    .orderBy(`job.${PROPERTY[field]}`, sorting, nulls)
    .addOrderBy('job.id', sorting)
    .take(size + 1)
    .getMany();

  const more = rows.length > size;
  const page = rows.slice(0, size);
  if (backward) page.reverse();
  return {
    edges: page.map((row) => ({
      cursor: encodeCursor(field, { value: jsonOf(sortValueOf(row)), id: row.id }),
      node: toJobView(row),
    })),
    hasNextPage: backward ? before !== null : more,
    hasPreviousPage: backward ? more : after !== null,
  };
}

const PROPERTY = {
  SUBMITTED_AT: 'submittedAt',
  STARTED_AT: 'startedAt',
  FINISHED_AT: 'finishedAt',
  AUDIO_DURATION: 'audioDurationMs',
} as const satisfies Record<JobOrderField, keyof JobRow>;

const opposite = (direction: 'ASC' | 'DESC'): 'ASC' | 'DESC' => (direction === 'ASC' ? 'DESC' : 'ASC');
const jsonOf = (value: Date | number | null): string | number | null =>
  value instanceof Date ? value.toISOString() : value;

/**
 * Rows after `position` in an order whose forward reading puts nulls last.
 * `beyond` for `before` runs the order backward, where nulls come first.
 */
function beyond(
  order: { readonly column: string; readonly direction: 'ASC' | 'DESC' },
  position: Position,
  name: 'after' | 'before',
): [string, Record<string, unknown>] {
  const operator = order.direction === 'ASC' ? '>' : '<';
  const parameters = { [`${name}Value`]: position.value, [`${name}Id`]: position.id };
  const { column } = order;
  const sameOrNext = `job.id ${operator} :${name}Id`;
  const nullsAhead = name === 'after';
  if (position.value === null) {
    const sql = nullsAhead
      ? `(${column} IS NULL AND ${sameOrNext})`
      : `(${column} IS NOT NULL OR ${sameOrNext})`;
    return [sql, parameters];
  }
  const sql = `(${column} ${operator} :${name}Value OR (${column} = :${name}Value AND ${sameOrNext})${
    nullsAhead ? ` OR ${column} IS NULL` : ''
  })`;
  return [sql, parameters];
}

function encodeCursor(field: JobOrderField, position: Position): string {
  return Buffer.from(JSON.stringify([field, position.value, position.id])).toString('base64url');
}

function decodeCursor(
  cursor: string | null | undefined,
  field: JobOrderField,
  argument: string,
): Position | null {
  if (cursor == null) return null;
  const refuse = (why: string) =>
    new ValidationError([{ path: [argument], rule: 'cursor', message: `\`${argument}\` ${why}` }]);
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw refuse('is not a cursor of this service.');
  }
  if (!Array.isArray(parsed) || parsed.length !== 3) throw refuse('is not a cursor of this service.');
  const [ofField, value, id] = parsed as unknown[];
  if (ofField !== field)
    throw refuse(`is a cursor of another order (${String(ofField)}); ask again without it.`);
  const valid =
    value === null || (field === 'AUDIO_DURATION' ? typeof value === 'number' : isTimestamp(value));
  if (!valid || typeof id !== 'string') throw refuse('is not a cursor of this service.');
  return { value: value as Position['value'], id };
}

const isTimestamp = (value: unknown): boolean =>
  typeof value === 'string' && !Number.isNaN(Date.parse(value));
