import type { EntitySchema } from 'typeorm';
import { type JobRow, JobTable } from './tables.ts';

/**
 * Rows in plain SQL, with the columns of tables.ts. On a table as wide as `jobs`, TypeORM's query builder takes
 * milliseconds of CPU for each statement, and a job has several on its way to a worker.
 */
interface Column {
  readonly property: keyof JobRow;
  readonly name: string;
  /** Node-postgres returns bigint as text. */
  readonly isBigint: boolean;
}

const COLUMNS: readonly Column[] = Object.entries(JobTable.options.columns).map(([property, column]) => ({
  property: property as keyof JobRow,
  name: column?.name ?? property,
  isBigint: column?.type === 'bigint',
}));

/** A row as `SELECT *` or `RETURNING *` gives it. */
export function toJobRow(raw: Readonly<Record<string, unknown>>): JobRow {
  const row: Record<string, unknown> = {};
  for (const { property, name, isBigint } of COLUMNS) {
    const value = raw[name];
    row[property] = isBigint && value !== null ? Number(value) : value;
  }
  return row as unknown as JobRow;
}

/** Columns of a table as `jsonb_to_recordset` takes them: many rows in one parameter. */
export interface RecordColumns {
  readonly columns: readonly { readonly property: string; readonly name: string }[];
  /** Such as `job_id, number`. */
  readonly names: string;
  /** Such as `job_id text, number integer`. */
  readonly definition: string;
}

/** @param properties All of the table's unless given. */
export function recordOf<Row>(
  table: EntitySchema<Row>,
  properties: readonly (keyof Row & string)[] = Object.keys(table.options.columns) as (keyof Row & string)[],
): RecordColumns {
  const columns = properties.map((property) => {
    const column = table.options.columns[property];
    if (column === undefined) throw new RangeError(`${table.options.name} has no column ${property}`);
    const type = `${column.type}${column.array === true ? '[]' : ''}`;
    return { property, name: column.name ?? property, type };
  });
  return {
    columns,
    names: columns.map(({ name }) => name).join(', '),
    definition: columns.map(({ name, type }) => `${name} ${type}`).join(', '),
  };
}

/** The rows as one JSON parameter for `jsonb_to_recordset`. */
export function recordsOf({ columns }: RecordColumns, rows: readonly object[]): string {
  return JSON.stringify(
    rows.map((row) => {
      const values: { readonly [property: string]: unknown } = { ...row };
      return Object.fromEntries(columns.map(({ name, property }) => [name, values[property] ?? null]));
    }),
  );
}
