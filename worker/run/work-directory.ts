import { mkdir, readdir, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

/** A worker process keeps its attempts' files in one folder, named so that a later one knows whose it was. */
const PREFIX = `worker-${hostname().replaceAll(/[^A-Za-z0-9]/g, '-')}-`;

/** Makes the process's own folder, and removes those that killed workers of this machine left. */
export async function prepareWorkDirectory(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true, mode: 0o700 });
  for (const name of await readdir(parent)) {
    if (!name.startsWith(PREFIX)) continue;
    const pid = Number(name.slice(PREFIX.length));
    // A folder with our own number is from a process before us, as in a restarted container.
    if (pid === process.pid || !isAlive(pid)) await rm(join(parent, name), { recursive: true, force: true });
  }
  const own = join(parent, `${PREFIX}${process.pid}`);
  await mkdir(own, { recursive: true, mode: 0o700 });
  return own;
}

/** A private folder for one attempt. */
export function attemptDirectory(
  workDirectory: string,
  runId: string,
): { readonly path: string; make(): Promise<void>; remove(): Promise<void> } {
  const path = join(workDirectory, runId);
  return {
    path,
    make: async () => {
      await mkdir(path, { recursive: true, mode: 0o700 });
    },
    remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }),
  };
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and is another user's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
