import type { SelectQueryBuilder } from 'typeorm';
import { ValidationError } from '../domain/errors.ts';
import { DEFAULT_PAGE_SIZE, type JobListQuery, type JobOrderField, type Page } from '../domain/job-list.ts';
import type { JobView } from '../domain/job-view.ts';
import type { Database } from './database.ts';
import { filterJobs } from './job-filter.ts';
import { toJobView } from './job-views.ts';
import { type JobRow, JobTable } from './tables.ts';

const ORDER_COLUMNS = {
  SUBMITTED_AT: { column: 'submitted_at', property: 'submittedAt', nullable: false },
  STARTED_AT: { column: 'started_at', property: 'startedAt', nullable: true },
  FINISHED_AT: { column: 'finished_at', property: 'finishedAt', nullable: true },
  AUDIO_DURATION: { column: 'audio_duration_ms', property: 'audioDurationMs', nullable: true },
} as const satisfies Record<JobOrderField, OrderColumn>;

interface OrderColumn {
  readonly column: string;
  readonly property: keyof JobRow;
  readonly nullable: boolean;
}

/** Where a page begins: the ordered value and the id of the row before it. */
interface Position {
  readonly value: string | number | null;
  readonly id: string;
}

/**
 * A page by keyset: the rows after the cursor's (value, id), so that rows inserted or deleted meanwhile neither repeat
 * nor hide others. Jobs without a value come last in either direction.
 *
 * @throws ValidationError for an invalid cursor, and for one of another order.
 */
export async function pageOfJobs(
  database: Database,
  tenantId: string,
  query: JobListQuery,
): Promise<Page<JobView>> {
  const { field } = query.orderBy;
  const backward = query.last != null;
  const size = (backward ? query.last : query.first) ?? DEFAULT_PAGE_SIZE;
  const rows: JobRow[] = [];
  for (const part of pageParts(database, tenantId, query)) {
    if (rows.length <= size) rows.push(...(await part.take(size + 1 - rows.length).getMany()));
  }

  const more = rows.length > size;
  const page = rows.slice(0, size);
  if (backward) page.reverse();
  return {
    edges: page.map((row) => ({
      cursor: encodeCursor(field, { value: jsonOf(row[ORDER_COLUMNS[field].property]), id: row.id }),
      node: toJobView(row),
    })),
    hasNextPage: backward ? query.before != null : more,
    hasPreviousPage: backward ? more : query.after != null,
  };
}

/**
 * The rows from the start of the page on; for a page from the end, from its last row backward. Rows with and rows
 * without a value are separate parts, so that one index serves both directions with nulls last.
 */
export function pageParts(
  database: Database,
  tenantId: string,
  query: JobListQuery,
): readonly SelectQueryBuilder<JobRow>[] {
  const { field, direction } = query.orderBy;
  const { column, property, nullable } = ORDER_COLUMNS[field];
  const backward = query.last != null;
  const sorting = backward ? opposite(direction) : direction;
  const after = decodeCursor(query.after, field, 'after');
  const before = decodeCursor(query.before, field, 'before');

  const part = (withValue: boolean): SelectQueryBuilder<JobRow>[] => {
    // Every value comes before every null.
    if (withValue ? after?.value === null : before != null && before.value !== null) return [];
    const sql = filterJobs(database.createQueryBuilder(JobTable, 'job'), tenantId, query.filter);
    if (nullable) sql.andWhere(`job.${column} IS ${withValue ? 'NOT NULL' : 'NULL'}`);
    const isHere = (position: Position) => (position.value !== null) === withValue;
    if (after !== null && isHere(after)) sql.andWhere(...beyond(column, direction, after, 'after'));
    if (before !== null && isHere(before))
      sql.andWhere(...beyond(column, opposite(direction), before, 'before'));
    // As the index is ordered, read forward or backward. A part has no nulls, or only nulls.
    const nulls = sorting === 'DESC' ? 'NULLS LAST' : 'NULLS FIRST';
    return [
      sql.orderBy(`job.${property}`, sorting, nullable ? nulls : undefined).addOrderBy('job.id', sorting),
    ];
  };
  const parts = nullable ? [part(true), part(false)] : [part(true)];
  return (backward ? parts.reverse() : parts).flat();
}

const opposite = (direction: 'ASC' | 'DESC'): 'ASC' | 'DESC' => (direction === 'ASC' ? 'DESC' : 'ASC');
const jsonOf = (value: unknown): Position['value'] =>
  value instanceof Date ? value.toISOString() : (value as Position['value']);

/** Rows after `position` in a part. A row comparison starts in the index there; with AND and OR it would filter all rows before. */
function beyond(
  column: string,
  direction: 'ASC' | 'DESC',
  position: Position,
  name: 'after' | 'before',
): [string, Record<string, unknown>] {
  const operator = direction === 'ASC' ? '>' : '<';
  const id = { [`${name}Id`]: position.id };
  if (position.value === null) return [`job.id ${operator} :${name}Id`, id];
  return [
    `(job.${column}, job.id) ${operator} (:${name}Value, :${name}Id)`,
    { ...id, [`${name}Value`]: position.value },
  ];
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
    (value === null && ORDER_COLUMNS[field].nullable) ||
    (field === 'AUDIO_DURATION' ? typeof value === 'number' : isTimestamp(value));
  if (!valid || typeof id !== 'string') throw refuse('is not a cursor of this service.');
  return { value: value as Position['value'], id };
}

const isTimestamp = (value: unknown): boolean =>
  typeof value === 'string' && !Number.isNaN(Date.parse(value));
