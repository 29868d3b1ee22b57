import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JobTable, TABLES } from '../../../src/storage/tables.ts';
import { aNewJob } from '../../support/builders.ts';
import { openTestStorage, type TestStorage } from '../../support/storage.ts';

let storage: TestStorage;
beforeAll(async () => {
  storage = await openTestStorage();
});
afterAll(() => storage.close());

describe('the schema', () => {
  it('has every column that the tables name, with their type and nullability', async () => {
    for (const table of TABLES) {
      const metadata = storage.database.getMetadata(table);
      const columns: { column_name: string; data_type: string; udt_name: string; is_nullable: string }[] =
        await storage.database.query(
          `SELECT column_name, data_type, udt_name, is_nullable FROM information_schema.columns WHERE table_name = $1`,
          [metadata.tableName],
        );
      const real = columns.map((column) => ({
        name: column.column_name,
        type: column.data_type === 'ARRAY' ? `${column.udt_name.slice(1)}[]` : column.udt_name,
        nullable: column.is_nullable === 'YES',
      }));
      const named = metadata.columns.map((column) => ({
        name: column.databaseName,
        type: SHORT_NAMES[String(column.type)] ?? `${String(column.type)}${column.isArray ? '[]' : ''}`,
        nullable: column.isNullable,
      }));
      expect(named).toEqual(expect.arrayContaining(real));
      expect(real).toEqual(expect.arrayContaining(named));
    }
  });

  it.each([
    ['a final job without its time', { status: 'COMPLETED' }],
    ['a retrying job without a next time', { status: 'RETRYING', failure: {} }],
    ['a failed job without a failure', { status: 'FAILED', finishedAt: new Date() }],
    ['a processing job that nobody runs', { status: 'PROCESSING' }],
    ['a status that does not exist', { status: 'PAUSED' }],
    ['an admitted job that is over', { status: 'CANCELED', finishedAt: new Date(), admittedAt: new Date() }],
  ])('refuses %s', async (_what, columns) => {
    const id = await storage.insert(aNewJob());

    await expect(storage.database.getRepository(JobTable).update({ id }, columns as object)).rejects.toThrow(
      /violates check constraint/,
    );
  });
});

const SHORT_NAMES: Readonly<Record<string, string>> = {
  integer: 'int4',
  smallint: 'int2',
  bigint: 'int8',
  real: 'float4',
  boolean: 'bool',
};
