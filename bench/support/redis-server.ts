import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import getPort from 'get-port';
import { cacheDirectory } from '../../src/config/cache-directory.ts';
import { unpackDebianPackage } from '../../src/local/debian-package.ts';
import { type LocalService, LocalServiceError } from '../../src/local/local-service.ts';
import { startService } from '../../src/local/start-service.ts';
import type { Logger } from '../../src/observability/logger.ts';
import { findExecutable, isExecutable } from '../../src/process/find-executable.ts';

interface RedisBinary {
  readonly path: string;
  /** Where its libraries are, when they are not the system's. */
  readonly libraries?: string;
}

/** The program and the libraries that a machine without Redis lacks. */
const PACKAGES = ['redis-tools', 'libjemalloc2', 'liblzf1'] as const;
const LIBRARIES: Partial<Record<NodeJS.Architecture, string>> = {
  x64: 'x86_64-linux-gnu',
  arm64: 'aarch64-linux-gnu',
};

/** Starts Redis on loopback as queues are run on it: an append-only file that reaches the disk every second. */
export async function startRedis(directory: string, log: Logger): Promise<LocalService> {
  await mkdir(directory, { recursive: true });
  const binary = await findRedis(process.env, log);
  const port = await getPort();
  const settings: Record<string, string> = {
    bind: '127.0.0.1',
    port: String(port),
    dir: directory,
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    'maxmemory-policy': 'noeviction',
  };
  const service = await startService({
    name: 'redis-server',
    // Redis logs to standard output, and only standard error is read.
    prefix: ['sh', '-c', 'exec "$0" "$@" 1>&2'],
    command: [binary.path, ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])],
    env: binary.libraries === undefined ? {} : { LD_LIBRARY_PATH: binary.libraries },
    ready: /Ready to accept connections/,
    readyTimeoutMs: 30_000,
    log,
  });
  return { ...service, url: `redis://127.0.0.1:${port}`, port };
}

/** On PATH, or Debian's package unpacked into the cache. */
async function findRedis(env: NodeJS.ProcessEnv, log: Logger): Promise<RedisBinary> {
  const installed = await findExecutable('redis-server', env);
  if (installed !== null) return { path: installed };
  const cache = join(cacheDirectory(env), 'redis-server', `${process.platform}-${process.arch}`);
  const path = join(cache, 'redis-tools', 'usr', 'bin', 'redis-server');
  const libraryFolder = join('usr', 'lib', LIBRARIES[process.arch] ?? '');
  const libraries = PACKAGES.slice(1).map((name) => join(cache, name, libraryFolder));
  if (!(await isExecutable(path))) {
    for (const name of PACKAGES) {
      if ((await unpackDebianPackage(name, cache, { env, log })) !== null) continue;
      throw new LocalServiceError(
        `There is no redis-server on this machine, and Debian's package ${name} could not be had. Install Redis and run this again.`,
      );
    }
    // One program by several names; the package redis-server holds no more than this link.
    await symlink('redis-check-rdb', path);
  }
  return { path, libraries: libraries.join(':') };
}
