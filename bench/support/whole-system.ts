import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startNatsServer } from '../../src/local/nats-server.ts';
import { startPostgres } from '../../src/local/postgres.ts';
import { createLogger, type Logger } from '../../src/observability/logger.ts';
import { migrate } from '../../src/storage/migrate.ts';
import { GraphQLClient } from '../../test/support/graphql-client.ts';
import { JobCalls } from '../../test/support/job-calls.ts';
import { startServerProcess, startWorkerProcess } from '../../test/support/processes.ts';
import { startPostgresWithStatistics } from './postgres-with-statistics.ts';

export interface WholeSystem {
  readonly url: string;
  readonly natsUrl: string;
  readonly databaseUrl: string;
  /** For files of the measurement; removed in the end. */
  readonly directory: string;
  readonly log: Logger;
  readonly jobs: JobCalls;
  readonly pids: Readonly<Record<'server' | 'worker' | 'postgres' | 'broker', number>>;
}

export interface WholeSystemOptions {
  readonly workerArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Whether Postgres counts its statements. */
  readonly statistics?: boolean;
  /** What happens between the migrations and the start of the server. */
  readonly prepare?: (databaseUrl: string) => Promise<void>;
}

/**
 * Everything that `npm start` starts, from `dist` and with durable storage, for as long as `measure` takes; nothing
 * is left behind.
 */
export async function withWholeSystem(
  options: WholeSystemOptions,
  measure: (system: WholeSystem) => Promise<void>,
): Promise<void> {
  const stops: (() => Promise<unknown>)[] = [];
  exitOnSignals();
  try {
    const log = createLogger('bench', 'warn');
    const directory = await mkdtemp(join(tmpdir(), 'transcription-bench-'));
    stops.push(() => rm(directory, { recursive: true, force: true }));
    const dataDirectory = join(directory, 'postgres');
    const postgres =
      options.statistics === true
        ? await startPostgresWithStatistics(dataDirectory, log)
        : await startPostgres({ dataDirectory, durable: true, log });
    stops.push(() => postgres.stop());
    await migrate(postgres.url, log);
    await options.prepare?.(postgres.url);
    const nats = await startNatsServer({ dataDirectory: join(directory, 'nats'), log });
    stops.push(() => nats.stop());
    const env = { LOG_LEVEL: 'warn', NATS_URL: nats.url, DATA_DIR: directory, ...options.env };
    const server = await startServerProcess({ ...env, DATABASE_URL: postgres.url });
    stops.push(() => server.stop());
    const models = fileURLToPath(new URL('../../models', import.meta.url));
    const worker = await startWorkerProcess({ MODELS_DIR: models, ...env }, undefined, options.workerArgs);
    stops.push(() => worker.stop());
    const client = new GraphQLClient(server.url);
    stops.push(async () => client.close());
    await measure({
      url: server.url,
      natsUrl: nats.url,
      databaseUrl: postgres.url,
      directory,
      log,
      jobs: new JobCalls(client),
      pids: { server: server.pid, worker: worker.pid, postgres: postgres.pid, broker: nats.pid },
    });
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

let exiting = false;

/** Programs that were started end with this process, but only when it ends by itself. */
export function exitOnSignals(): void {
  if (exiting) return;
  exiting = true;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
}
