import { randomUUID } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { identityOf } from './process-identity.ts';
import { sleep } from './wait.ts';

/** Another process uses the folder; the message names the process and the remedy. */
export class DirectoryLockError extends Error {
  override readonly name = 'DirectoryLockError';
}

export interface FileLock {
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
}

const LOOK_AGAIN_MS = 1000;
/** Removing a stale lock takes a few milliseconds. */
const LET_REMOVE_MS = 10;

/**
 * Keeps two runs from using one data folder.
 *
 * @throws DirectoryLockError naming the process that uses the folder.
 */
export async function lockDirectory(directory: string): Promise<FileLock> {
  const taken = await takeLock(join(directory, 'owner'));
  if ('release' in taken) return taken;
  throw new DirectoryLockError(
    `The folder ${directory} is in use by process ${taken.pid}. Stop that process, or choose another folder with DATA_DIR.`,
  );
}

/**
 * Does the work while no other caller on this machine holds the lock on the path.
 *
 * @param options.onWait Called before each wait with the process that holds the lock.
 * @throws What the work throws; the signal's reason.
 */
export async function withLock<Result>(
  path: string,
  options: { readonly onWait: (pid: number) => void; readonly signal: AbortSignal },
  work: () => Promise<Result>,
): Promise<Result> {
  for (;;) {
    options.signal.throwIfAborted();
    const taken = await takeLock(path);
    if ('release' in taken) return await work().finally(taken.release);
    options.onWait(taken.pid);
    await sleep(LOOK_AGAIN_MS, options.signal);
  }
}

/** Takes the lock, also from a process that is gone; else names the process that holds it. */
async function takeLock(path: string): Promise<FileLock | Holder> {
  // A link appears together with its content, so a lock is never read half written.
  const claim = `${path}.${randomUUID()}`;
  await writeFile(claim, (await stampOf(process.pid)) ?? `${process.pid} unknown`, { mode: 0o600 });
  try {
    for (;;) {
      if (await linked(claim, path)) return { release: () => rm(path, { force: true }) };
      const stamp = await ifPresent(readFile(path, 'utf8'));
      if (stamp === null) continue;
      const pid = Number.parseInt(stamp, 10);
      if (pid > 0 && stamp === (await stampOf(pid))) return { pid };
      await removeStale(path, stamp);
    }
  } finally {
    await rm(claim, { force: true });
  }
}

/** What a lock contains; null when there is no such process. */
async function stampOf(pid: number): Promise<string | null> {
  const identity = await identityOf(pid);
  return identity === null ? null : `${pid} ${identity}`;
}

async function linked(existing: string, path: string): Promise<boolean> {
  try {
    await link(existing, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Other processes may have seen the same stale lock and replaced it since. So only one at a time checks again and removes
 * it; a second lock ensures that, which is itself taken over in this way when its owner is gone.
 */
async function removeStale(path: string, expected: string): Promise<void> {
  const guard = await takeLock(`${path}.stale`);
  if (!('release' in guard)) return await delay(LET_REMOVE_MS);
  try {
    if ((await ifPresent(readFile(path, 'utf8'))) === expected) await rm(path);
  } finally {
    await guard.release();
  }
}

/** Null when the file is not there. */
async function ifPresent<Result>(operation: Promise<Result>): Promise<Result | null> {
  try {
    return await operation;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
