import getPort from 'get-port';
import pg from 'pg';
import type { Logger } from '../observability/logger.ts';
import { untilDone } from '../process/retry.ts';
import { type LocalService, LocalServiceError } from './local-service.ts';
import { findPostgresBinaries } from './postgres-binaries.ts';
import { type Cluster, openCluster, STOP_POSTGRES } from './postgres-cluster.ts';
import { type Service, startOnFolder, startService } from './start-service.ts';
import { findUnprivilegedRunner, type UnprivilegedRunner } from './unprivileged-runner.ts';

export interface PostgresOptions {
  /** Created if it is missing; keeps the data. */
  readonly dataDirectory: string;
  /** False if a crash of the machine may lose everything, as in tests. */
  readonly durable: boolean;
  readonly log: Logger;
  /** Exactly this one, so that clients find it again. */
  readonly port?: number | undefined;
  /** Used if it is free and there is no `port`; any free one by default. */
  readonly usualPort?: number;
  /** Aborts the start; to stop a running server, call `stop`. */
  readonly signal?: AbortSignal;
}

const DATABASE = 'transcription';
/** A start after a crash first replays the write-ahead log. */
const START_TIMEOUT_MS = 120_000;
/** About 15 s. */
const START_TRIES = 8;
/** The children of a killed server are still running. */
const LEAVING = /pre-existing shared memory block|lock file .* already exists/;
const PORT_TAKEN = /Address already in use/;

/**
 * Starts the bundled Postgres on loopback with a database `transcription` and a password of its own.
 *
 * @throws LocalServiceError with the cause and the remedy.
 */
export async function startPostgres(options: PostgresOptions): Promise<LocalService> {
  return startOnFolder(options.dataDirectory, async (directory) => {
    const binaries = await findPostgresBinaries();
    const runner = await findUnprivilegedRunner([binaries.postgres, '--version']);
    const cluster = await openCluster(directory, binaries, runner, options);
    const { service, port } = await launch(binaries.postgres, runner, cluster, options);
    try {
      const url = await ensureDatabase(cluster.password, port);
      options.log.info({ servicePid: service.pid, port }, 'Postgres ready');
      return { ...service, url, port };
    } catch (error) {
      await service.stop();
      throw error;
    }
  });
}

/** Tries again while a killed server is still leaving, or another program takes the port first. */
async function launch(
  program: string,
  runner: UnprivilegedRunner,
  cluster: Cluster,
  options: PostgresOptions,
): Promise<{ readonly service: Service; readonly port: number }> {
  const { durable, log, usualPort, signal = new AbortController().signal } = options;
  const start = async () => {
    const port = options.port ?? (await getPort({ port: usualPort }));
    const service = await startService({
      name: 'Postgres',
      prefix: runner.prefix,
      uid: runner.uid,
      gid: runner.gid,
      command: [program, ...settings(cluster.directory, port, durable)],
      env: { LC_ALL: 'C' },
      ready: /database system is ready to accept connections/,
      readyTimeoutMs: START_TIMEOUT_MS,
      stopSteps: STOP_POSTGRES,
      signal,
      log,
    });
    return { service, port };
  };
  return untilDone(start, {
    signal,
    tries: START_TRIES,
    mayPass: (error) => {
      const text = String(error);
      return LEAVING.test(text) || (options.port === undefined && PORT_TAKEN.test(text));
    },
    onRetry: (err) => log.debug({ err }, 'Postgres could not start; retrying'),
  });
}

function settings(directory: string, port: number, durable: boolean): string[] {
  const values = [
    'listen_addresses=127.0.0.1',
    `port=${port}`,
    'unix_socket_directories=',
    'logging_collector=off',
    'log_destination=stderr',
    'timezone=UTC',
    'log_timezone=UTC',
    ...(durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off']),
  ];
  return ['-D', directory, ...values.flatMap((value) => ['-c', value])];
}

async function ensureDatabase(password: string, port: number): Promise<string> {
  const urlOf = (database: string): string => `postgres://postgres:${password}@127.0.0.1:${port}/${database}`;
  const client = new pg.Client({ connectionString: urlOf('postgres'), connectionTimeoutMillis: 10_000 });
  // Without a listener, a broken connection would end this process; the query fails anyway.
  client.on('error', () => undefined);
  try {
    await client.connect();
    const found = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
    if (found.rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
  } catch (error) {
    throw new LocalServiceError(
      `Postgres runs on port ${port}, but its database cannot be used: ${String(error)}`,
      {
        cause: error,
      },
    );
  } finally {
    await client.end().catch(() => undefined);
  }
  return urlOf(DATABASE);
}
