import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { LocalService } from '../../src/local/local-service.ts';
import { startNatsServer } from '../../src/local/nats-server.ts';
import { createLogger } from '../../src/observability/logger.ts';

export interface TestNats extends LocalService {
  /** Starts it again with the same port and data, after `stop` or `kill` or while it runs. */
  restart(): Promise<void>;
  /** Stops it and removes its data; `stop` alone keeps them for a restart. */
  dispose(): Promise<void>;
}

/** A nats-server with JetStream for one test file, with a folder of its own and a free port. */
export async function startTestNats(): Promise<TestNats> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'transcription-nats-'));
  const log = createLogger('test', process.env.LOG_LEVEL ?? 'warn');
  const binary = inject('natsServerBinary');
  let server = await startNatsServer({ dataDirectory, log, binary });
  const { port, url } = server;
  return {
    url,
    port,
    get pid() {
      return server.pid;
    },
    get exited() {
      return server.exited;
    },
    stop: () => server.stop(),
    kill: () => server.kill(),
    async restart() {
      await server.stop();
      server = await startNatsServer({ dataDirectory, log, binary, port });
    },
    async dispose() {
      await server.stop();
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}
