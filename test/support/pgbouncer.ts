import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import getPort from 'get-port';
import { cacheDirectory } from '../../src/config/cache-directory.ts';
import { unpackDebianPackage } from '../../src/local/debian-package.ts';
import { startService } from '../../src/local/start-service.ts';
import { findUnprivilegedRunner } from '../../src/local/unprivileged-runner.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { findExecutable, isExecutable } from '../../src/process/find-executable.ts';

export interface PgBouncer {
  /** The database through the pooler. */
  readonly url: string;
  stop(): Promise<void>;
}

const log = createLogger('test', process.env.LOG_LEVEL ?? 'warn');

/**
 * Debian's PgBouncer in transaction mode before a database.
 *
 * @param options.ignoreStartupParameters Startup parameters that it drops in silence; it refuses all others that it
 *   does not know, as by default.
 */
export async function startPgBouncer(
  databaseUrl: string,
  options: { readonly ignoreStartupParameters: readonly string[] },
): Promise<PgBouncer> {
  const program = await findPgBouncer();
  const directory = await mkdtemp(join(tmpdir(), 'transcription-pgbouncer-'));
  const target = new URL(databaseUrl);
  const port = await getPort();
  const configuration = join(directory, 'pgbouncer.ini');
  const users = join(directory, 'users.txt');
  await writeFile(users, `"${target.username}" "${target.password}"\n`);
  await writeFile(
    configuration,
    [
      '[databases]',
      `* = host=${target.hostname} port=${target.port}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = trust',
      `auth_file = ${users}`,
      'pool_mode = transaction',
      'default_pool_size = 10',
      `ignore_startup_parameters = ${options.ignoreStartupParameters.join(',')}`,
    ].join('\n'),
  );
  await chmod(directory, 0o755);
  const runner = await findUnprivilegedRunner([...program, '--version']);
  const server = await startService({
    name: 'pgbouncer',
    prefix: runner.prefix,
    command: [...program, configuration],
    uid: runner.uid,
    gid: runner.gid,
    ready: /process up/,
    readyTimeoutMs: 10_000,
    log,
  });
  const url = new URL(databaseUrl);
  url.port = String(port);
  return {
    url: url.href,
    async stop() {
      await server.kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The command of this machine's, or of Debian's package with the library that it needs, unpacked into the cache. */
async function findPgBouncer(): Promise<readonly string[]> {
  const installed = await findExecutable('pgbouncer');
  if (installed !== null) return [installed];
  const cache = join(cacheDirectory(process.env), 'pgbouncer', `${process.platform}-${process.arch}`);
  const program = join(cache, 'pgbouncer', 'usr', 'sbin', 'pgbouncer');
  if (!(await isExecutable(program))) {
    // The program comes last: where it is, the library is.
    for (const name of ['libc-ares2', 'pgbouncer']) {
      await unpackDebianPackage(name, cache, { log, env: process.env });
    }
  }
  const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  return ['env', `LD_LIBRARY_PATH=${join(cache, 'libc-ares2', 'usr', 'lib', triplet)}`, program];
}
