import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { findNatsServer } from '../../../src/local/find-nats-server.ts';
import type { LocalService } from '../../../src/local/local-service.ts';
import { startNatsServer } from '../../../src/local/nats-server.ts';
import { createLogger } from '../../../src/observability/logger.ts';

const log = createLogger('test', 'silent');
let dataDirectory: string;
const running: LocalService[] = [];

beforeEach(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), 'local nats "quoted" '));
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.stop()));
  await rm(dataDirectory, { recursive: true, force: true });
});

async function start(port?: number): Promise<LocalService> {
  const binary = inject('natsServerBinary');
  const service = await startNatsServer({
    dataDirectory,
    log,
    binary,
    ...(port === undefined ? {} : { port }),
  });
  running.push(service);
  return service;
}

async function publishOne(url: string): Promise<void> {
  const connection = await connect({ servers: url });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: 'KEPT', subjects: ['kept'] });
  await jetstream(connection).publish('kept', 'hello');
  await connection.close();
}

async function countMessages(url: string): Promise<number> {
  const connection = await connect({ servers: url });
  const { state } = await (await jetstreamManager(connection)).streams.info('KEPT');
  await connection.close();
  return state.messages;
}

describe('startNatsServer', () => {
  it('keeps its streams and its port over a restart', async () => {
    const first = await start();
    await publishOne(first.url);
    await first.stop();

    const second = await start(first.port);

    expect(second.url).toBe(first.url);
    expect(await countMessages(second.url)).toBe(1);
  });

  it('starts again after a crash, and removes the ports file of the crashed server', async () => {
    const first = await start();
    await publishOne(first.url);
    await first.kill();

    const second = await start();

    expect(await countMessages(second.url)).toBe(1);
    const ports = (await readdir(dataDirectory)).filter((name) => name.endsWith('.ports'));
    expect(ports).toEqual([`nats-server_${second.pid}.ports`]);
  });

  it('refuses a folder that another process uses', async () => {
    await start();

    await expect(start()).rejects.toThrow(`in use by process ${process.pid}`);
  });

  it('reports a port that is taken', async () => {
    const first = await start();
    const other = join(dataDirectory, 'other');
    const binary = inject('natsServerBinary');

    await expect(startNatsServer({ dataDirectory: other, log, binary, port: first.port })).rejects.toThrow(
      /address already in use/,
    );
  });
});

describe('findNatsServer', () => {
  it('refuses a NATS_SERVER_BIN that does not run', async () => {
    const wrong = join(dataDirectory, 'absent');

    await expect(findNatsServer({ ...process.env, NATS_SERVER_BIN: wrong }, log)).rejects.toThrow(
      `NATS_SERVER_BIN is ${wrong}`,
    );
  });
});
