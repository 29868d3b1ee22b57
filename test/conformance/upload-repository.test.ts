import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import { PostgresUploadRepository } from '../../src/uploads/upload-repository.ts';
import { MemoryUploadRepository } from '../support/memory-upload-repository.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { describeUploadRepository } from '../support/upload-repository-suite.ts';

describe('uploads in memory', () => {
  describeUploadRepository(async () => new MemoryUploadRepository());
});

describe('uploads in Postgres', () => {
  let database: TestDatabase;
  let pool: pg.Pool;
  beforeAll(async () => {
    database = await createTestDatabase();
    pool = new pg.Pool({ connectionString: database.url, max: 2 });
    await pool.query(`insert into tenants (id, name) values ('ten_other', 'Another')`);
  });
  beforeEach(async () => {
    await pool.query('truncate uploads cascade');
  });
  afterAll(async () => {
    await pool.end();
    await database.drop();
  });

  describeUploadRepository(
    async () => new PostgresUploadRepository(async (sql, values) => (await pool.query(sql, values)).rows),
  );
});
