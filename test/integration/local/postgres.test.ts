import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LocalService } from '../../../src/local/local-service.ts';
import { startPostgres } from '../../../src/local/postgres.ts';
import { createLogger } from '../../../src/observability/logger.ts';

const log = createLogger('test', 'silent');
let dataDirectory: string;
const running: LocalService[] = [];

beforeEach(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), 'local-postgres-'));
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.stop()));
  await rm(dataDirectory, { recursive: true, force: true });
});

async function start(
  options: { port?: number; directory?: string; durable?: boolean } = {},
): Promise<LocalService> {
  const service = await startPostgres({
    dataDirectory: options.directory ?? dataDirectory,
    durable: options.durable ?? false,
    log,
    ...(options.port === undefined ? {} : { port: options.port }),
  });
  running.push(service);
  return service;
}

async function query(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

describe('startPostgres', () => {
  it('serves a UTF-8 database on loopback only, with a password', async () => {
    const service = await start();

    const [settings] = await query(
      service.url,
      `SELECT current_database() AS database, current_setting('server_encoding') AS encoding,
              current_setting('listen_addresses') AS addresses, current_setting('unix_socket_directories') AS sockets`,
    );
    expect(settings).toEqual({
      database: 'transcription',
      encoding: 'UTF8',
      addresses: '127.0.0.1',
      sockets: '',
    });
    const stranger = new URL(service.url);
    stranger.password = 'wrong';
    await expect(query(stranger.href, 'SELECT 1')).rejects.toThrow(/password authentication failed/);
    expect((await stat(join(dataDirectory, 'password'))).mode & 0o777).toBe(0o600);
  });

  it('keeps its data and its port after a crash, when it is durable', async () => {
    const first = await start({ durable: true });
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.kill();

    const second = await start({ port: first.port, durable: true });

    expect(second.url).toBe(first.url);
    expect(await query(second.url, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  });

  it('refuses a folder that another process uses', async () => {
    await start();

    await expect(start()).rejects.toThrow(`in use by process ${process.pid}`);
  });

  it('reports a port that is taken, and leaves nothing behind', async () => {
    const first = await start();
    const directory = join(dataDirectory, 'second');

    await expect(
      startPostgres({ dataDirectory: directory, durable: false, log, port: first.port }),
    ).rejects.toThrow(/Address already in use/);
    const again = await start({ directory, port: await getPort() });
    expect(await query(again.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('reports how it ended', async () => {
    const service = await start();

    await service.stop();

    expect(await service.exited).toBe('exit code 0');
    await service.stop();
  });
});
