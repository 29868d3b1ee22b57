import { deleteExpired } from './app/delete-expired.ts';
import { DAY_MS, environment } from './compose-environment.ts';
import type { ServerConfig } from './config/config.ts';
import type { Health } from './http/routes.ts';
import type { NatsSession } from './messaging/session.ts';
import type { Logger } from './observability/logger.ts';
import { answersWithin, openDatabase } from './storage/database.ts';
import { createJobReader } from './storage/job-reader.ts';
import { createJobSchedule } from './storage/job-schedule.ts';
import { createJobStore } from './storage/job-store.ts';
import { assertSchemaIsCurrent } from './storage/migrate.ts';
import { deleteOldRecords } from './storage/old-records.ts';
import { createModelStore, createQueueStore } from './storage/queue-store.ts';
import { sharedSecret } from './storage/secrets.ts';
import { createTenantStore } from './storage/tenant-store.ts';
import type { UploadDeps } from './uploads/upload-store.ts';
import { sweepExpiredUploads } from './uploads/uploads.ts';

const POOL_SIZE = 10;
const SCHEDULE_POOL_SIZE = 4;
const STATEMENT_TIMEOUT_MS = 15_000;
/** Who asks for the health does not wait long. */
const HEALTH_TIMEOUT_MS = 2000;

export type Storage = Awaited<ReturnType<typeof openStorage>>;

/** @throws SchemaMismatchError when the database is not this version's. */
export async function openStorage(config: ServerConfig, log: Logger) {
  const database = await openDatabase({
    url: config.DATABASE_URL,
    poolSize: POOL_SIZE,
    log,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  await assertSchemaIsCurrent(database);
  // An admission that a crash forgets is done again, and the fence makes the second task harmless.
  const relaxed = await openDatabase({
    url: config.DATABASE_URL,
    poolSize: SCHEDULE_POOL_SIZE,
    log,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    relaxedCommits: true,
  });
  return {
    database,
    relaxed,
    store: createJobStore(database, { retentionMs: config.RETENTION_DAYS * DAY_MS }),
    reader: createJobReader(database),
    schedule: createJobSchedule(relaxed),
    queues: createQueueStore(database),
    models: createModelStore(database),
    tenants: createTenantStore(database),
    linkSecret: await sharedSecret(database, 'links'),
  };
}

/** Removes what is past its time, a bounded amount each time. */
export async function sweep({ database, store, schedule }: Storage, uploads: UploadDeps): Promise<void> {
  const now = environment.now();
  await deleteOldRecords(database, now);
  await deleteExpired({ store, schedule }, now);
  await sweepExpiredUploads(uploads);
}

/** Ready means that jobs are taken: that needs the database alone. */
export async function checkHealth({ database }: Storage, session: NatsSession): Promise<Health> {
  const ready = await answersWithin(database, HEALTH_TIMEOUT_MS);
  return {
    ready,
    checks: {
      database: ready ? 'ok' : 'unreachable',
      broker: session.connected ? 'ok' : 'unreachable',
    },
  };
}
