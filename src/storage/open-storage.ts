import type { ServerConfig } from '../config/config.ts';
import type { Logger } from '../observability/logger.ts';
import { answersWithin, openDatabase } from './database.ts';
import { createJobChecks } from './job-checks.ts';
import { createJobReader } from './job-reader.ts';
import { createJobSchedule } from './job-schedule.ts';
import { createJobStore } from './job-store.ts';
import { assertSchemaIsCurrent } from './migrate.ts';
import { createModelStore } from './model-store.ts';
import { createQueueStore } from './queue-store.ts';
import { sharedSecret } from './secrets.ts';
import { createTenantStore } from './tenant-store.ts';

const POOL_SIZE = 10;
const SCHEDULE_POOL_SIZE = 4;
const STATEMENT_TIMEOUT_MS = 15_000;
const HEALTH_TIMEOUT_MS = 2000;

/** Everything in Postgres that the server works with. */
export type Storage = Awaited<ReturnType<typeof openStorage>>;

/** @throws SchemaMismatchError when the database has the schema of another version. */
export async function openStorage(
  config: Pick<ServerConfig, 'DATABASE_URL' | 'DATABASE_DIRECT_URL'>,
  log: Logger,
) {
  const options = {
    url: config.DATABASE_URL,
    pooled: config.DATABASE_DIRECT_URL !== undefined,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    log,
  };
  const database = await openDatabase({ ...options, poolSize: POOL_SIZE });
  await assertSchemaIsCurrent(database);
  // A crash may lose an admission: it is repeated, and the fence makes the second task harmless.
  const relaxed = await openDatabase({ ...options, poolSize: SCHEDULE_POOL_SIZE, relaxedCommits: true });
  return {
    database,
    store: createJobStore(database),
    reader: createJobReader(database),
    schedule: createJobSchedule(relaxed),
    checks: createJobChecks(relaxed),
    queues: createQueueStore(database),
    models: createModelStore(database),
    tenants: createTenantStore(database),
    linkSecret: await sharedSecret(database, 'links'),
    /** Whether the database answers within a time that callers of a health check wait for. */
    answers: () => answersWithin(database, HEALTH_TIMEOUT_MS),
    async close(): Promise<void> {
      await relaxed.destroy();
      await database.destroy();
    },
  };
}
