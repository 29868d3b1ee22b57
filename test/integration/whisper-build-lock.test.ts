import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withBuildLock } from '../../worker/engines/whisper/build-lock.ts';

const never = new AbortController().signal;
/** No process has it: above the kernel's highest. */
const DEAD_PID = 2 ** 22 + 1;

let directory: string;
let lock: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lock-'));
  lock = join(directory, 'build.lock');
});
afterEach(() => rm(directory, { recursive: true }));

test('a second build waits for the first and says so', async () => {
  const task: string[] = [];
  let waiting: () => void = () => {};
  const waits = new Promise<void>((resolve) => {
    waiting = resolve;
  });
  let started: () => void = () => {};
  const first = withBuildLock(
    lock,
    () => {},
    never,
    async () => {
      started();
      await waits;
      task.push('first');
    },
  );
  await new Promise<void>((resolve) => {
    started = resolve;
  });
  await withBuildLock(lock, waiting, never, async () => {
    task.push('second');
  });
  await first;
  expect(task).toEqual(['first', 'second']);
  await expect(access(lock)).rejects.toThrow();
});

test.each([String(DEAD_PID), ''])('takes over the lock of a build that died (%j)', async (content) => {
  await writeFile(lock, content);
  let built = false;
  await withBuildLock(
    lock,
    () => {},
    never,
    async () => {
      built = true;
    },
  );
  expect(built).toBe(true);
});

test('waiting ends with the signal, and leaves the lock to its owner', async () => {
  await writeFile(lock, String(process.pid));
  const cancel = new AbortController();
  const call = withBuildLock(
    lock,
    () => cancel.abort(new Error('stop')),
    cancel.signal,
    async () => {},
  );
  await expect(call).rejects.toThrow();
  await access(lock);
});
