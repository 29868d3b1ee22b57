import { readFile, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_AGAIN_MS = 1000;

/**
 * Runs `build` while no other process of this machine does. A lock whose process is gone is taken over; should
 * two take it at once, both build, and the last to rename wins: nothing but time is lost.
 */
export async function withBuildLock(
  path: string,
  onStatus: (text: string) => void,
  signal: AbortSignal,
  build: () => Promise<void>,
): Promise<void> {
  while (!(await take(path))) {
    onStatus('waiting for another worker that builds whisper.cpp');
    await sleep(LOOK_AGAIN_MS, undefined, { signal });
  }
  try {
    await build();
  } finally {
    await rm(path, { force: true });
  }
}

async function take(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const owner = Number(await readFile(path, 'utf8').catch(() => ''));
  if (owner > 0 && isAlive(owner)) return false;
  await rm(path, { force: true });
  return take(path);
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
