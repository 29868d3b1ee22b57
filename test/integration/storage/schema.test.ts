import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JobTable, TABLES } from '../../../src/storage/tables.ts';
import { aNewJob } from '../../support/builders.ts';
import { dumpSchema } from '../../support/schema-dump.ts';
import { openTestStorage, type TestStorage } from '../../support/storage.ts';

let storage: TestStorage;
beforeAll(async () => {
  storage = await openTestStorage();
});
afterAll(() => storage.close());

describe('the schema', () => {
  it('is the one in test/fixtures/schema.sql', async () => {
    await expect(
      await dumpSchema(storage.database),
      'the migrations make another schema; if that is meant, run `npm run schema:sql` and commit the file',
    ).toMatchFileSnapshot('../../fixtures/schema.sql');
  });

  it('has the columns of tables.ts, with their types and nullability', async () => {
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

  const AT = new Date();
  const FAILURE = { failure: {}, failureAt: AT };
  const END = { finishedAt: AT, expiresAt: AT };

  it.each([
    ['a final job without its time', 'jobs_finished_iff_final', { status: 'COMPLETED' }],
    ['a job that goes on with an end', 'jobs_finished_iff_final', END],
    ['a final job that is kept for ever', 'jobs_expires_iff_final', { status: 'COMPLETED', finishedAt: AT }],
    ['a retrying job without a next time', 'jobs_retrying_has_time', { status: 'RETRYING', ...FAILURE }],
    ['a failed job without a failure', 'jobs_failed_has_failure', { status: 'FAILED', ...END }],
    ['a failed job without its time', 'jobs_failed_has_failure', { status: 'FAILED', ...END, failure: {} }],
    ['a run without its id', 'jobs_processing_has_run', { status: 'PROCESSING', admittedAt: AT, attempt: 1 }],
    ['a run without a task', 'jobs_processing_is_admitted', { status: 'PROCESSING', runId: 'a', attempt: 1 }],
    [
      'an admitted job that is final',
      'jobs_admitted_is_active',
      { status: 'CANCELED', ...END, admittedAt: AT },
    ],
    ['a dead letter that goes on', 'jobs_dead_is_failed', { deadLetteredAt: AT }],
    ['a status that does not exist', 'jobs_status_known', { status: 'PAUSED' }],
  ])('refuses %s', async (_what, constraint, columns) => {
    const id = await storage.insert(aNewJob());

    await expect(storage.database.getRepository(JobTable).update({ id }, columns as object)).rejects.toThrow(
      `violates check constraint "${constraint}"`,
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
