import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Services, startServices } from '../../../src/local/services.ts';
import { createLogger } from '../../../src/observability/logger.ts';

let dataDirectory: string;
let services: Services | undefined;
let notices: string[];

beforeEach(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), 'start-services-'));
  notices = [];
});

afterEach(async () => {
  await services?.stop();
  await rm(dataDirectory, { recursive: true, force: true });
});

async function start(given: { databaseUrl?: string; natsUrl?: string } = {}): Promise<Services> {
  services = await startServices({
    dataDirectory,
    databaseUrl: given.databaseUrl,
    natsUrl: given.natsUrl,
    log: createLogger('test', 'silent'),
    signal: new AbortController().signal,
    onNotice: (text) => notices.push(text),
  });
  return services;
}

async function postmasterOf(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query(
      `SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1) AS pid`,
    );
    return Number(rows[0].pid);
  } finally {
    await client.end();
  }
}

describe('startServices', () => {
  it('starts what is not configured', async () => {
    const { databaseUrl, natsUrl } = await start();

    expect(await postmasterOf(databaseUrl)).toBeGreaterThan(1);
    const connection = await connect({ servers: natsUrl });
    expect(connection.info?.jetstream).toBe(true);
    await connection.close();
  });

  it('uses what is configured, and starts nothing else', async () => {
    const given = { databaseUrl: 'postgres://elsewhere/db', natsUrl: 'nats://elsewhere:4222' };

    expect(await start(given)).toMatchObject(given);
  });

  it('restarts a Postgres that dies on the same port', async () => {
    const { databaseUrl } = await start({ natsUrl: 'nats://elsewhere:4222' });
    const first = await postmasterOf(databaseUrl);

    process.kill(first, 'SIGKILL');

    await vi.waitFor(() => expect(notices).toContain('Postgres is back.'), { timeout: 30_000 });
    expect(await postmasterOf(databaseUrl)).not.toBe(first);
  });
});
