import type { Database } from '../../src/storage/database.ts';

/**
 * The tables, constraints and indexes of a database as SQL, in an order that does not depend on how they came to be.
 * Without the table that TypeORM keeps of its migrations.
 */
export async function dumpSchema(database: Database): Promise<string> {
  const tables: { table: string; parts: string[]; indexes: string[] }[] = await database.query(`
    SELECT c.relname AS table,
        array_cat(
          ARRAY(SELECT format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
                || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END
                || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '')
              FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
          ARRAY(SELECT format('CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)) FROM pg_constraint
             -- NOT NULL stands with its column.
             WHERE conrelid = c.oid AND contype <> 'n' ORDER BY contype <> 'p', conname)) AS parts,
        ARRAY(SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i
           WHERE i.indrelid = c.oid AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = i.indexrelid
             AND contype IN ('p', 'u', 'x'))
           ORDER BY i.indexrelid::regclass::text) AS indexes
      FROM pg_class c
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND c.relname <> 'migrations'
     ORDER BY c.relname`);
  return tables
    .map(({ table, parts, indexes }) =>
      [`CREATE TABLE ${table} (\n  ${parts.join(',\n  ')}\n);`, ...indexes.map((index) => `${index};`)].join(
        '\n',
      ),
    )
    .join('\n\n')
    .concat('\n');
}
