import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startNatsServer } from '../src/local/nats-server.ts';
import { startPostgres } from '../src/local/postgres.ts';
import { createLogger, type Logger } from '../src/observability/logger.ts';
import { migrate } from '../src/storage/migrate.ts';
import { GraphQLClient } from '../test/support/graphql-client.ts';
import { JobCalls } from '../test/support/job-calls.ts';
import { startServerProcess, startWorkerProcess } from '../test/support/processes.ts';

export interface WholeSystem {
  readonly natsUrl: string;
  /** For files of the measurement; removed in the end. */
  readonly directory: string;
  readonly log: Logger;
  readonly jobs: JobCalls;
}

export interface WholeSystemOptions {
  readonly workerArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
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
  // Programs that were started end with this process, but only when it ends by itself.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  try {
    const log = createLogger('bench', 'warn');
    const directory = await mkdtemp(join(tmpdir(), 'transcription-bench-'));
    stops.push(() => rm(directory, { recursive: true, force: true }));
    const postgres = await startPostgres({ dataDirectory: join(directory, 'postgres'), durable: true, log });
    stops.push(() => postgres.stop());
    await migrate(postgres.url, log);
    const nats = await startNatsServer({ dataDirectory: join(directory, 'nats'), log });
    stops.push(() => nats.stop());
    const env = { LOG_LEVEL: 'warn', NATS_URL: nats.url, DATA_DIR: directory, ...options.env };
    const server = await startServerProcess({ ...env, DATABASE_URL: postgres.url });
    stops.push(() => server.stop());
    const models = fileURLToPath(new URL('../models', import.meta.url));
    const worker = await startWorkerProcess({ MODELS_DIR: models, ...env }, undefined, options.workerArgs);
    stops.push(() => worker.stop());
    const client = new GraphQLClient(server.url);
    stops.push(async () => client.close());
    await measure({ natsUrl: nats.url, directory, log, jobs: new JobCalls(client) });
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}
