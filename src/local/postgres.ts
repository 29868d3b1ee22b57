import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import getPort from 'get-port';
import pg from 'pg';
import type { Logger } from '../observability/logger.ts';
import { lockDirectory } from '../process/file-lock.ts';
import { untilDone } from '../process/retry.ts';
import { type LocalService, LocalServiceError } from './local-service.ts';
import { findPostgresBinaries, type PostgresBinaries } from './postgres-binaries.ts';
import { type Cluster, openCluster, STOP_POSTGRES } from './postgres-cluster.ts';
import { ServiceProcess } from './service-process.ts';
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
  const dataDirectory = resolve(options.dataDirectory);
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  const lock = await lockDirectory(dataDirectory);
  let server: ServiceProcess | undefined;
  const end = async (signal?: 'SIGKILL'): Promise<void> => {
    await server?.stop(signal ? [{ signal, waitMs: 10_000 }] : STOP_POSTGRES);
    await lock.release();
  };
  try {
    const binaries = await findPostgresBinaries();
    const runner = await findUnprivilegedRunner([binaries.postgres, '--version']);
    const cluster = await openCluster(dataDirectory, binaries, runner, options);
    const running = await launch(binaries, runner, cluster, options);
    server = running.server;
    const url = await ensureDatabase(cluster.password, running.port);
    options.log.info({ servicePid: server.pid, port: running.port }, 'Postgres ready');
    return {
      url,
      pid: server.pid,
      port: running.port,
      exited: server.exited,
      stop: () => end(),
      kill: () => end('SIGKILL'),
    };
  } catch (error) {
    await end();
    throw error;
  }
}

async function launch(
  binaries: PostgresBinaries,
  runner: UnprivilegedRunner,
  cluster: Cluster,
  options: PostgresOptions,
): Promise<{ readonly server: ServiceProcess; readonly port: number }> {
  const start = async () => {
    const port = options.port ?? (await getPort({ port: options.usualPort }));
    const server = await ServiceProcess.start({
      name: 'Postgres',
      prefix: runner.prefix,
      uid: runner.uid,
      gid: runner.gid,
      command: [binaries.postgres, ...settings(cluster.directory, port, options.durable)],
      env: { LC_ALL: 'C' },
      ready: /database system is ready to accept connections/,
      log: options.log,
    });
    try {
      await server.untilReady(START_TIMEOUT_MS, options.signal);
      return { server, port };
    } catch (error) {
      await server.stop(STOP_POSTGRES);
      throw error;
    }
  };
  return untilDone(start, {
    signal: options.signal ?? new AbortController().signal,
    tries: START_TRIES,
    mayPass: (error) => {
      const text = String(error);
      return LEAVING.test(text) || (options.port === undefined && PORT_TAKEN.test(text));
    },
    onRetry: (err) => options.log.debug({ err }, 'Postgres could not start; retrying'),
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
