import type { UploadDeps } from './app/upload-ports.ts';
import { sweepExpiredUploads } from './app/uploads.ts';
import type { NatsSession } from './background/nats-session.ts';
import { DAY_MS, environment } from './compose-environment.ts';
import type { ServerConfig } from './config/config.ts';
import type { Health } from './http/routes.ts';
import type { Logger } from './observability/logger.ts';
import { openDatabase } from './storage/database.ts';
import { deleteOldKeys } from './storage/idempotency-keys.ts';
import { createJobReader } from './storage/job-reader.ts';
import { createJobSchedule } from './storage/job-schedule.ts';
import { createJobStore } from './storage/job-store.ts';
import { assertSchemaIsCurrent } from './storage/migrate.ts';
import { createModelStore, createQueueStore } from './storage/queue-store.ts';
import { sharedSecret } from './storage/secrets.ts';
import { createTenantStore } from './storage/tenant-store.ts';

const POOL_SIZE = 10;
const SCHEDULE_POOL_SIZE = 4;
const STATEMENT_TIMEOUT_MS = 15_000;
const EXPIRED_JOBS_A_SWEEP = 500;
const OLD_KEYS_A_SWEEP = 5000;

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
  // An admission that a crash forgets is done again, and the fence makes the second order harmless.
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
  await deleteOldKeys(database, now, OLD_KEYS_A_SWEEP);
  const expired = await schedule.expired(now, EXPIRED_JOBS_A_SWEEP);
  if (expired.length > 0) await store.transaction((jobs) => jobs.delete(expired));
  await sweepExpiredUploads(uploads);
}

/** Ready means that jobs are taken: that needs the database alone. */
export async function checkHealth({ database }: Storage, session: NatsSession): Promise<Health> {
  const databaseState = await database.query('SELECT 1').then(
    () => 'ok',
    () => 'unreachable',
  );
  return {
    ready: databaseState === 'ok',
    checks: { database: databaseState, broker: session.connected ? 'ok' : 'unreachable' },
  };
}
