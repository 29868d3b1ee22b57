import { join } from 'node:path';
import { execa } from 'execa';
import { cacheDirectory } from '../config/cache-directory.ts';
import type { Logger } from '../observability/logger.ts';
import { findExecutable, isExecutable } from '../process/find-executable.ts';
import { unpackDebianPackage } from './debian-package.ts';
import { LocalServiceError } from './local-service.ts';

export interface NatsServerBinary {
  readonly path: string;
  /** Such as `2.9.10`. */
  readonly version: string;
}

/**
 * The first nats-server that runs: `NATS_SERVER_BIN`, PATH, the usual folders, the cache, Debian's package
 * unpacked into the cache.
 *
 * @throws LocalServiceError with the remedies for this system.
 */
export async function findNatsServer(
  env: NodeJS.ProcessEnv,
  log: Logger,
  signal?: AbortSignal,
): Promise<NatsServerBinary> {
  if (env.NATS_SERVER_BIN) {
    const chosen = await tryBinary(env.NATS_SERVER_BIN);
    if (chosen !== null) return chosen;
    throw new LocalServiceError(
      `NATS_SERVER_BIN is ${env.NATS_SERVER_BIN}, which is no nats-server that runs here.`,
    );
  }
  const cache = join(cacheDirectory(env), 'nats-server', `${process.platform}-${process.arch}`);
  const cached = join(cache, 'nats-server', 'usr', 'sbin', 'nats-server');
  const onPath = await findExecutable('nats-server', env);
  for (const path of [onPath, cached]) {
    const binary = path === null ? null : await tryBinary(path);
    if (binary !== null) return binary;
  }
  log.info('no nats-server on this machine: unpacking the Debian package into the cache');
  await unpackDebianPackage('nats-server', cache, { env, log, signal });
  const unpacked = await tryBinary(cached);
  if (unpacked !== null) return unpacked;
  throw new LocalServiceError(
    'There is no nats-server on this machine, and it could not be had from the system packages.\n' +
      `Remedies: ${remedy()}; or set NATS_SERVER_BIN to the program (https://github.com/nats-io/nats-server/releases); ` +
      'or set NATS_URL to a NATS with JetStream that runs already.',
  );
}

async function tryBinary(path: string): Promise<NatsServerBinary | null> {
  if (!(await isExecutable(path))) return null;
  const result = await execa(path, ['--version'], { reject: false, timeout: 10_000 });
  const version = /v?(\d+\.\d+\.\d+)/.exec(String(result.stdout))?.[1];
  return result.exitCode === 0 && version !== undefined ? { path, version } : null;
}

function remedy(): string {
  if (process.platform === 'darwin') return 'brew install nats-server';
  return 'install the package nats-server (Debian, Ubuntu: apt-get install nats-server; Fedora: dnf install nats-server; Arch: pacman -S nats-server; Alpine: apk add nats-server)';
}
