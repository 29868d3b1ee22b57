import { pino } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { toId } from '../../src/domain/ids.ts';
import type { NewJob } from '../../src/domain/new-job.ts';
import { type Database, openDatabase } from '../../src/storage/database.ts';
import { createJobStore, type JobStore } from '../../src/storage/job-store.ts';
import { createTestDatabase } from './postgres.ts';

export const TENANT = 'ten_default';
export const DAY_MS = 86_400_000;

export interface TestStorage {
  readonly database: Database;
  readonly url: string;
  readonly store: JobStore;
  /** Inserts a job; what is not said is a NORMAL whisper job by URL. */
  insert(job?: Partial<NewJob>): Promise<string>;
  close(): Promise<void>;
}

/** A database of the test's own, opened as the server opens it. */
export async function openTestStorage(): Promise<TestStorage> {
  const { url, drop } = await createTestDatabase();
  const database = await openDatabase({ url, poolSize: 6, log: pino({ level: 'silent' }) });
  const store = createJobStore(database, { retentionMs: 30 * DAY_MS });
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

export function aNewJob(job: Partial<NewJob> = {}): NewJob {
  return {
    id: toId('Job', uuidv7()),
    tenantId: TENANT,
    externalId: null,
    engines: ['WHISPER'],
    priority: 'NORMAL',
    tags: [],
    metadata: null,
    source: { url: 'https://example.com/talk.mp3' },
    audio: { filename: 'talk.mp3', contentType: null, sizeBytes: null, sha256: null },
    options: {
      model: 'default',
      language: null,
      timestamps: 'SEGMENT',
      diarize: false,
      translateToEnglish: false,
      vocabulary: [],
    },
    submittedAt: new Date(),
    scheduledFor: null,
    deadline: null,
    maxAttempts: 3,
    ...job,
  };
}
