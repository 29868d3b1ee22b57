import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createLogger } from '../../src/observability/logger.ts';
import { startPostgresWithStatistics } from '../support/postgres-with-statistics.ts';
import { startRedis } from '../support/redis-server.ts';
import { startScript } from '../support/start-script.ts';
import { exitOnSignals } from '../support/whole-system.ts';
import { PLAIN_TABLES } from './tables.ts';

export interface PlainService {
  readonly url: string;
  readonly redisUrl: string;
  readonly databaseUrl: string;
  readonly pids: Readonly<Record<'server' | 'worker' | 'postgres' | 'broker', number>>;
}

/** The plain way as processes like the product's, for as long as `measure` takes; nothing is left behind. */
export async function withPlainService(
  options: { readonly slots: number; readonly env: Readonly<Record<string, string>> },
  measure: (service: PlainService) => Promise<void>,
): Promise<void> {
  const stops: (() => Promise<unknown>)[] = [];
  exitOnSignals();
  try {
    const log = createLogger('plain', 'warn');
    const directory = await mkdtemp(join(tmpdir(), 'transcription-bench-plain-'));
    stops.push(() => rm(directory, { recursive: true, force: true }));
    const postgres = await startPostgresWithStatistics(join(directory, 'postgres'), log);
    stops.push(() => postgres.stop());
    await createTables(postgres.url);
    const redis = await startRedis(join(directory, 'redis'), log);
    stops.push(() => redis.stop());
    const env = { ...options.env, DATABASE_URL: postgres.url, REDIS_URL: redis.url };
    const server = await startScript('plain/server.ts', env);
    stops.push(() => server.stop());
    const worker = await startScript('plain/worker.ts', { ...env, SLOTS: String(options.slots) });
    stops.push(() => worker.stop());
    await measure({
      url: String(server.ready.url),
      redisUrl: redis.url,
      databaseUrl: postgres.url,
      pids: { server: server.pid, worker: worker.pid, postgres: postgres.pid, broker: redis.pid },
    });
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

async function createTables(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(PLAIN_TABLES);
  } finally {
    await client.end();
  }
}
