import { pino } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { toId } from '../../src/domain/ids.ts';
import type { NewJob } from '../../src/domain/new-job.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { openStorage, type Storage } from '../../src/storage/open-storage.ts';
import { aNewJob } from './builders.ts';
import { createTestDatabase } from './postgres.ts';

export const TENANT = 'ten_default';
export const OTHER_TENANT = 'ten_other';
export const DAY_MS = 86_400_000;

export interface TestStorage extends Storage {
  readonly url: string;
  /** Inserts a job; by default a NORMAL whisper job by URL. */
  insert(job?: Partial<NewJob>): Promise<string>;
}

/** A database of the test's own, opened as the server opens it. */
export async function openTestStorage(): Promise<TestStorage> {
  const { url, drop } = await createTestDatabase();
  const log = pino({ level: 'silent' });
  const storage = await openStorage({ DATABASE_URL: url, DATABASE_DIRECT_URL: undefined }, log);
  // Without a time limit, since tests make many rows at once.
  const database = await openDatabase({ url, poolSize: 6, log });
  await database.query(`INSERT INTO tenants (id, name) VALUES ($1, 'Another')`, [OTHER_TENANT]);
  return {
    ...storage,
    database,
    url,
    async insert(job = {}) {
      const made = aNewJob(job);
      await storage.store.transaction((jobs) => jobs.insert(made));
      return made.id;
    },
    async close() {
      await database.destroy();
      await storage.close();
      await drop();
    },
  };
}

/** The row of an upload whose file was received; there is no file. */
export async function insertStoredUpload({ database }: TestStorage, tenantId = TENANT): Promise<string> {
  const id = toId('Upload', uuidv7());
  await database.query(
    `INSERT INTO uploads (id, tenant_id, filename, content_type, size_bytes, status, stored_sha256, created_at, expires_at)
     VALUES ($1, $2, 'talk.mp3', 'audio/mpeg', 1, 'STORED', repeat('ab', 32), now(), now() + interval '1 hour')`,
    [id, tenantId],
  );
  return id;
}

/** Segments of a second each, `Line 0.`, `Line 1.` and so on. */
export async function insertSegments({ database }: TestStorage, jobId: string, count: number): Promise<void> {
  await database.query(
    `INSERT INTO segments (job_id, index, start_ms, end_ms, text)
     SELECT $1, n, n * 1000, n * 1000 + 1000, 'Line ' || n || '.' FROM generate_series(0, $2::int - 1) n`,
    [jobId, count],
  );
}
