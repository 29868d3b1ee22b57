import { on } from 'node:events';
import { watch } from 'node:fs';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import getPort from 'get-port';
import type { Logger } from '../observability/logger.ts';
import { commandLineOf } from '../process/process-identity.ts';
import { stopStranger } from '../process/stop-process.ts';
import { findNatsServer, type NatsServerBinary } from './find-nats-server.ts';
import { type LocalService, LocalServiceError } from './local-service.ts';
import { STOP_BY_INTERRUPT, startOnFolder, startService } from './start-service.ts';

export interface NatsServerOptions {
  /** Created if it is missing; keeps the streams. */
  readonly dataDirectory: string;
  readonly log: Logger;
  /** Exactly this one, so that clients find it again. */
  readonly port?: number | undefined;
  /** Used if it is free and there is no `port`; any free one by default. */
  readonly usualPort?: number;
  /** The executable; `findNatsServer` looks for one by default. */
  readonly binary?: string;
  /** Aborts the start; to stop a running server, call `stop`. */
  readonly signal?: AbortSignal;
}

/**
 * Starts nats-server with JetStream on loopback.
 *
 * @throws LocalServiceError with the cause and the remedy.
 */
export async function startNatsServer(options: NatsServerOptions): Promise<LocalService> {
  const { log, signal, usualPort } = options;
  const env = { ...process.env, ...(options.binary && { NATS_SERVER_BIN: options.binary }) };
  return startOnFolder(options.dataDirectory, async (directory) => {
    const binary = await findNatsServer(env, log, signal);
    await stopLeftovers(directory, log);
    const config = join(directory, 'nats.conf');
    const wanted = options.port ?? (usualPort && (await getPort({ port: usualPort })));
    await writeFile(config, configuration(directory, binary, wanted), { mode: 0o600 });
    const service = await startService({
      name: 'nats-server',
      command: [binary.path, '-c', config],
      ready: /Server is ready/,
      signal,
      log,
    });
    try {
      const port = await readPort(directory, `${basename(binary.path)}_${service.pid}.ports`);
      log.info({ servicePid: service.pid, port, version: binary.version }, 'nats-server ready');
      return { ...service, url: `nats://127.0.0.1:${port}`, port };
    } catch (error) {
      await service.stop();
      throw error;
    }
  });
}

function configuration(directory: string, binary: NatsServerBinary, port = -1): string {
  // Versions before 2.10 refuse to start with this setting.
  const [major = 0, minor = 0] = binary.version.split('.').map(Number);
  const sync = major > 2 || minor >= 10 ? '\n  sync_interval: always' : '';
  const quoted = JSON.stringify(directory);
  return `listen: "127.0.0.1:${port}"\nports_file_dir: ${quoted}\njetstream {\n  store_dir: ${quoted}${sync}\n}\n`;
}

/** The server writes the file soon after it logs that it is ready. */
async function readPort(directory: string, name: string): Promise<number> {
  const watcher = watch(directory);
  const changes = on(watcher, 'change', { signal: AbortSignal.timeout(10_000) });
  try {
    for (;;) {
      const text = await readFile(join(directory, name), 'utf8').catch(() => '');
      const port = /nats:\/\/[^"]*:(\d+)"/.exec(text)?.[1];
      if (port !== undefined) return Number(port);
      await changes.next();
    }
  } catch (error) {
    throw new LocalServiceError(`nats-server did not write its port to ${join(directory, name)}.`, {
      cause: error,
    });
  } finally {
    watcher.close();
  }
}

/** A killed run leaves its ports file, and maybe its server. The folder is locked, so nothing else uses them. */
async function stopLeftovers(directory: string, log: Logger): Promise<void> {
  for (const name of await readdir(directory)) {
    const pid = Number(/_(\d+)\.ports$/.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(pid)) continue;
    if ((await commandLineOf(pid))?.includes(directory)) {
      log.warn({ servicePid: pid, directory }, 'stopping a nats-server left by a killed run');
      if (!(await stopStranger(pid, STOP_BY_INTERRUPT))) {
        throw new LocalServiceError(
          `Process ${pid}, a nats-server that a killed run left on ${directory}, cannot be stopped.`,
        );
      }
    }
    await rm(join(directory, name), { force: true });
  }
}
