import { randomBytes } from 'node:crypto';
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Logger } from '../observability/logger.ts';
import { commandLineOf } from '../process/process-identity.ts';
import { type StopStep, stopStranger } from '../process/stop-process.ts';
import { LocalServiceError } from './local-service.ts';
import type { PostgresBinaries } from './postgres-binaries.ts';
import type { UnprivilegedRunner } from './unprivileged-runner.ts';

/** The files of a database server and the password of its only user. */
export interface Cluster {
  readonly directory: string;
  readonly password: string;
}

/** Fast shutdown; then immediate shutdown, with recovery at the next start; then a crash. */
export const STOP_POSTGRES: readonly StopStep[] = [
  { signal: 'SIGINT', waitMs: 10_000 },
  { signal: 'SIGQUIT', waitMs: 5_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
];

const SUPPORTED_VERSION = '18';

/** Opens the cluster of a data folder, or creates it. An interrupted creation is started again from scratch. */
export async function openCluster(
  dataDirectory: string,
  binaries: PostgresBinaries,
  runner: UnprivilegedRunner,
  options: { readonly durable: boolean; readonly log: Logger },
): Promise<Cluster> {
  const directory = join(dataDirectory, 'cluster');
  const passwordFile = join(dataDirectory, 'password');
  if (await exists(join(directory, 'PG_VERSION'))) {
    await stopLeftover(directory, options.log);
    return { directory, password: await readPassword(directory, passwordFile) };
  }
  const password = randomBytes(24).toString('base64url');
  await writeFile(passwordFile, password, { mode: 0o600 });
  const unfinished = `${directory}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  for (const path of [dataDirectory, passwordFile, unfinished]) await runner.own(path);
  options.log.info({ directory }, 'creating a database cluster');
  await runInitdb(binaries.initdb, runner, [
    `--pgdata=${unfinished}`,
    '--username=postgres',
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    ...(options.durable ? [] : ['--no-sync']),
  ]);
  await rename(unfinished, directory);
  return { directory, password };
}

async function runInitdb(initdb: string, runner: UnprivilegedRunner, args: readonly string[]): Promise<void> {
  const [file, ...rest] = [...runner.prefix, initdb, ...args];
  const result = await execa(file as string, rest, {
    all: true,
    reject: false,
    timeout: 120_000,
    env: { LC_ALL: 'C' },
    ...(runner.uid === undefined ? {} : { uid: runner.uid }),
    ...(runner.gid === undefined ? {} : { gid: runner.gid }),
  });
  if (result.exitCode === 0) return;
  const hint =
    runner.uid === undefined
      ? ''
      : `\nIt ran as user ${runner.uid}, because Postgres refuses root and user namespaces are not allowed here. Choose a DATA_DIR that this user can access.`;
  throw new LocalServiceError(
    `The database cluster cannot be created:\n${result.all || result.message}${hint}`,
  );
}

async function readPassword(directory: string, passwordFile: string): Promise<string> {
  const version = (await readFile(join(directory, 'PG_VERSION'), 'utf8')).trim();
  if (version !== SUPPORTED_VERSION) {
    throw new LocalServiceError(
      `${directory} belongs to Postgres ${version}, and this is version ${SUPPORTED_VERSION}. Choose another folder with DATA_DIR, or set DATABASE_URL.`,
    );
  }
  try {
    return (await readFile(passwordFile, 'utf8')).trim();
  } catch (error) {
    throw new LocalServiceError(`The password of ${directory} is missing; it should be in ${passwordFile}.`, {
      cause: error,
    });
  }
}

/** A killed run may leave its server running. The folder is locked, so nothing else uses it. */
async function stopLeftover(directory: string, log: Logger): Promise<void> {
  const text = await readFile(join(directory, 'postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number(text.split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 1) return;
  if (!(await commandLineOf(pid))?.includes(directory)) return;
  log.warn({ servicePid: pid, directory }, 'stopping a Postgres left by a killed run');
  if (await stopStranger(pid, STOP_POSTGRES)) return;
  throw new LocalServiceError(
    `Process ${pid}, a Postgres that a killed run left on ${directory}, cannot be stopped.`,
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
