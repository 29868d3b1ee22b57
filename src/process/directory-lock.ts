import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { identityOf } from './process-identity.ts';

/** Another process uses the folder; the message names it and the remedy. */
export class DirectoryLockError extends Error {
  override readonly name = 'DirectoryLockError';
}

interface Owner {
  readonly pid: number;
  readonly identity: string;
}

export interface DirectoryLock {
  release(): Promise<void>;
}

const ATTEMPTS = 3;

/**
 * Keeps two runs from using one data folder. A lock whose process is gone is taken over, so a killed run
 * locks nobody out.
 *
 * @throws DirectoryLockError naming the process that uses the folder.
 */
export async function lockDirectory(directory: string): Promise<DirectoryLock> {
  const path = join(directory, 'owner.json');
  const owner: Owner = { pid: process.pid, identity: (await identityOf(process.pid)) ?? 'unknown' };
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    if (await create(path, JSON.stringify(owner))) return { release: () => rm(path, { force: true }) };
    const holder = await readOwner(path);
    if (holder !== null && (await identityOf(holder.pid)) === holder.identity) {
      throw new DirectoryLockError(
        `The folder ${directory} is in use by process ${holder.pid}. Stop that one first, or choose another folder with DATA_DIR.`,
      );
    }
    await rm(path, { force: true });
  }
  throw new DirectoryLockError(
    `The folder ${directory} could not be locked: another process keeps taking it.`,
  );
}

async function create(path: string, content: string): Promise<boolean> {
  try {
    await writeFile(path, content, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

async function readOwner(path: string): Promise<Owner | null> {
  const text = await readFile(path, 'utf8').catch(() => '');
  try {
    const owner = JSON.parse(text) as Partial<Owner>;
    return typeof owner.pid === 'number' && typeof owner.identity === 'string'
      ? { pid: owner.pid, identity: owner.identity }
      : null;
  } catch {
    // A run killed while it wrote the file leaves it empty or cut: nobody's.
    return null;
  }
}
