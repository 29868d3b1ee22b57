import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Logger } from '../observability/logger.ts';
import { findExecutable } from '../process/find-executable.ts';

const APT_TIMEOUT_MS = 180_000;

/**
 * Unpacks a Debian package into a folder, without installing it, without root, and without changing the machine's
 * package lists. apt verifies its signature.
 *
 * @returns Null where this is not Debian or Ubuntu, or no archive is reachable; the log has the reason.
 */
export async function unpackDebianPackage(
  name: string,
  directory: string,
  options: {
    readonly log: Logger;
    readonly env: NodeJS.ProcessEnv;
    readonly signal?: AbortSignal | undefined;
    /** A Debian release, such as `sid`; by default the one that this machine runs. */
    readonly release?: string | undefined;
  },
): Promise<string | null> {
  const { env, log, signal, release } = options;
  if ((await findExecutable('apt-get', env)) === null || (await findExecutable('dpkg', env)) === null)
    return null;
  await mkdir(directory, { recursive: true });
  const work = await mkdtemp(join(directory, '.unpacking-'));
  try {
    const archive = await download(name, work, { log, signal, release });
    if (archive === null) return null;
    const unpacked = join(work, 'root');
    await execa('dpkg', ['-x', archive, unpacked], {
      timeout: 60_000,
      ...(signal && { cancelSignal: signal }),
    });
    const target = join(directory, name);
    await rm(target, { recursive: true, force: true });
    await rename(unpacked, target);
    return target;
  } catch (error) {
    log.warn({ err: error, package: name }, 'cannot unpack the Debian package');
    return null;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Uses the machine's package lists; where there are none, as in a fresh container, downloads lists into the folder. */
async function download(
  name: string,
  work: string,
  options: {
    readonly log: Logger;
    readonly signal: AbortSignal | undefined;
    readonly release: string | undefined;
  },
): Promise<string | null> {
  const { log, signal, release } = options;
  const apt = (args: readonly string[]) =>
    execa('apt-get', args, {
      cwd: work,
      all: true,
      reject: false,
      stdin: 'ignore',
      timeout: APT_TIMEOUT_MS,
      ...(signal && { cancelSignal: signal }),
    });
  const lists = await privateLists(work, release);
  const quick = [
    '-o',
    'APT::Sandbox::User=root',
    '-o',
    'Acquire::Retries=2',
    '-o',
    'Acquire::Languages=none',
  ];
  if (release === undefined) {
    await apt([...quick, 'download', name]);
    const found = await findArchive(work);
    if (found !== null) return found;
  }
  log.info({ package: name }, 'downloading package lists');
  // One broken source fails the whole update, although the package may be there.
  await apt([...quick, ...lists, 'update']);
  const result = await apt([...quick, ...lists, 'download', name]);
  const archive = await findArchive(work);
  if (archive === null)
    log.warn({ package: name, output: result.all }, 'apt-get cannot download the package');
  return archive;
}

async function privateLists(work: string, release: string | undefined): Promise<readonly string[]> {
  const state = join(work, 'state');
  const cache = join(work, 'cache');
  await mkdir(join(state, 'lists', 'partial'), { recursive: true });
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
  return [
    ...(release === undefined ? [] : await sourcesOf(release, work)),
    '-o',
    `Dir::State=${state}`,
    '-o',
    `Dir::State::lists=${join(state, 'lists')}`,
    '-o',
    `Dir::Cache=${cache}`,
  ];
}

/** Debian's own archive of one release, signed by the keys that every Debian carries. */
async function sourcesOf(release: string, work: string): Promise<readonly string[]> {
  const keys = '/usr/share/keyrings/debian-archive-keyring.gpg';
  const sources = join(work, 'sources.list');
  await writeFile(sources, `deb [signed-by=${keys}] http://deb.debian.org/debian ${release} main\n`);
  return ['-o', `Dir::Etc::sourcelist=${sources}`, '-o', 'Dir::Etc::sourceparts=-'];
}

async function findArchive(directory: string): Promise<string | null> {
  const file = (await readdir(directory)).find((name) => name.endsWith('.deb'));
  return file === undefined ? null : join(directory, file);
}
