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
 * The first nats-server that runs: `NATS_SERVER_BIN`, in PATH and the usual folders, in the cache, or from Debian's
 * package, unpacked into the cache.
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
      `NATS_SERVER_BIN is ${env.NATS_SERVER_BIN}, which is not a nats-server that runs here.`,
    );
  }
  const binary =
    (await tryBinary(await findExecutable('nats-server', env))) ??
    (await fromDebian('nats-server', undefined, env, log, signal));
  if (binary !== null) return binary;
  throw new LocalServiceError(
    'There is no nats-server on this machine, and the system packages do not provide it.\n' +
      `Remedies: ${remedy()}; or set NATS_SERVER_BIN to the program (https://github.com/nats-io/nats-server/releases); ` +
      'or set NATS_URL to a running NATS with JetStream.',
  );
}

/**
 * A nats-server that may run as a cluster of three: the one of `findNatsServer` where it is new enough, else that of
 * Debian sid, unpacked into the cache.
 *
 * @throws LocalServiceError where there is none.
 */
export async function findClusterNatsServer(
  env: NodeJS.ProcessEnv,
  log: Logger,
  signal?: AbortSignal,
): Promise<NatsServerBinary> {
  const usual = await findNatsServer(env, log, signal);
  if (keepsReplicas(usual.version)) return usual;
  const newer = await fromDebian('nats-server-sid', 'sid', env, log, signal);
  if (newer !== null && keepsReplicas(newer.version)) return newer;
  throw new LocalServiceError(
    `A cluster needs nats-server 2.12 or newer, and this machine has ${usual.version}. ` +
      'Set NATS_SERVER_BIN to a newer one (https://github.com/nats-io/nats-server/releases).',
  );
}

function keepsReplicas(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 2 || (major === 2 && minor >= 12);
}

/** The package of a Debian release, from the cache where it was unpacked before. */
async function fromDebian(
  folder: string,
  release: string | undefined,
  env: NodeJS.ProcessEnv,
  log: Logger,
  signal: AbortSignal | undefined,
): Promise<NatsServerBinary | null> {
  const cache = join(cacheDirectory(env), folder, `${process.platform}-${process.arch}`);
  const program = join(cache, 'nats-server', 'usr', 'sbin', 'nats-server');
  const cached = await tryBinary(program);
  if (cached !== null) return cached;
  log.info({ release }, 'unpacking the Debian package of nats-server into the cache');
  await unpackDebianPackage('nats-server', cache, { env, log, signal, release });
  return tryBinary(program);
}

async function tryBinary(path: string | null): Promise<NatsServerBinary | null> {
  if (path === null || !(await isExecutable(path))) return null;
  const result = await execa(path, ['--version'], { reject: false, timeout: 10_000 });
  const version = /v?(\d+\.\d+\.\d+)/.exec(String(result.stdout))?.[1];
  return result.exitCode === 0 && version !== undefined ? { path, version } : null;
}

function remedy(): string {
  if (process.platform === 'darwin') return 'brew install nats-server';
  return 'install the package nats-server (Debian, Ubuntu: apt-get install nats-server; Fedora: dnf install nats-server; Arch: pacman -S nats-server; Alpine: apk add nats-server)';
}
