import type { ServerConfig } from './config/config.ts';
import type { Health } from './http/routes.ts';
import type { NatsSession } from './messaging/session.ts';
import type { Logger } from './observability/logger.ts';
import { answersWithin, openDatabase } from './storage/database.ts';
import { createJobChecks } from './storage/job-checks.ts';
import { createJobReader } from './storage/job-reader.ts';
import { createJobSchedule } from './storage/job-schedule.ts';
import { createJobStore } from './storage/job-store.ts';
import { assertSchemaIsCurrent } from './storage/migrate.ts';
import { createModelStore } from './storage/model-store.ts';
import { createQueueStore } from './storage/queue-store.ts';
import { sharedSecret } from './storage/secrets.ts';
import { createTenantStore } from './storage/tenant-store.ts';

const POOL_SIZE = 10;
const SCHEDULE_POOL_SIZE = 4;
const STATEMENT_TIMEOUT_MS = 15_000;
/** Who asks for the health does not wait long. */
const HEALTH_TIMEOUT_MS = 2000;

export type Storage = Awaited<ReturnType<typeof openStorage>>;

/** @throws SchemaMismatchError when the database is not this version's. */
export async function openStorage(config: ServerConfig, log: Logger) {
  const pooled = config.DATABASE_DIRECT_URL !== undefined;
  const database = await openDatabase({
    url: config.DATABASE_URL,
    pooled,
    poolSize: POOL_SIZE,
    log,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  await assertSchemaIsCurrent(database);
  // An admission that a crash forgets is done again, and the fence makes the second task harmless.
  const relaxed = await openDatabase({
    url: config.DATABASE_URL,
    pooled,
    poolSize: SCHEDULE_POOL_SIZE,
    log,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    relaxedCommits: true,
  });
  return {
    database,
    relaxed,
    store: createJobStore(database),
    reader: createJobReader(database),
    schedule: createJobSchedule(relaxed),
    checks: createJobChecks(relaxed),
    queues: createQueueStore(database),
    models: createModelStore(database),
    tenants: createTenantStore(database),
    linkSecret: await sharedSecret(database, 'links'),
  };
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
