import { pino } from 'pino';
import type { NewJob } from '../../src/domain/new-job.ts';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import { createJobStore, type JobStore } from '../../src/storage/job-store.ts';
import { aNewJob } from './builders.ts';
import { createTestDatabase } from './postgres.ts';

export const TENANT = 'ten_default';
export const DAY_MS = 86_400_000;

export interface TestStorage {
  readonly database: Database;
  readonly url: string;
  readonly store: JobStore;
  /** Inserts a job; by default a NORMAL whisper job by URL. */
  insert(job?: Partial<NewJob>): Promise<string>;
  close(): Promise<void>;
}

/** A database of the test's own, opened as the server opens it. */
export async function openTestStorage(): Promise<TestStorage> {
  const { url, drop } = await createTestDatabase();
  const database = await openDatabase({ url, poolSize: 6, log: pino({ level: 'silent' }) });
  const store = createJobStore(database);
  return {
    database,
    url,
    store,
    async insert(job = {}) {
      const made = aNewJob(job);
      await store.transaction((jobs) => jobs.insert(made));
      return made.id;
    },
    async close() {
      await database.destroy();
      await drop();
    },
  };
}
