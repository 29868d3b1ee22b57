import { EventEmitter, once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DirectoryLockError, lockDirectory, withLock } from '../../../src/process/file-lock.ts';

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

const unexpected = () => {
  throw new Error('nobody should have to wait');
};

describe('withLock', () => {
  test('lets the second caller wait for the first, and says for which process', async () => {
    const order: string[] = [];
    const events = new EventEmitter();
    const started = once(events, 'started');
    const waits = once(events, 'waits');
    const first = withLock(lock, { onWait: unexpected, signal: never }, async () => {
      events.emit('started');
      expect(await waits).toEqual([process.pid]);
      order.push('first');
    });
    await started;
    const onWait = (pid: number) => events.emit('waits', pid);

    const second = await withLock(lock, { onWait, signal: never }, async () => order.push('second'));

    await first;
    expect(order).toEqual(['first', 'second']);
    expect(second).toBe(2);
    expect(await readdir(directory)).toEqual([]);
  });

  test('releases the lock when the work fails', async () => {
    const error = new Error('no compiler');

    await expect(
      withLock(lock, { onWait: unexpected, signal: never }, () => Promise.reject(error)),
    ).rejects.toBe(error);
    expect(await readdir(directory)).toEqual([]);
  });

  test.each([
    ['a process that is gone', `${DEAD_PID} 1`],
    ['an earlier process with the same id', `${process.pid} earlier`],
    ['nobody', ''],
  ])('takes over the lock of %s', async (_, content) => {
    await writeFile(lock, content);

    expect(await withLock(lock, { onWait: unexpected, signal: never }, async () => 'done')).toBe('done');
  });

  test('gives a stale lock to one of many callers at a time', async () => {
    await writeFile(lock, `${DEAD_PID} 1`);
    let holders = 0;
    const waiting = new Set<number>();
    const cancel = new AbortController();
    const calls = Array.from({ length: 20 }, (_, caller) =>
      withLock(lock, { onWait: () => waiting.add(caller), signal: cancel.signal }, async () => {
        holders += 1;
        await once(cancel.signal, 'abort');
      }),
    );
    await expect.poll(() => holders + waiting.size, { timeout: 10_000 }).toBe(20);
    expect(holders).toBe(1);
    cancel.abort();

    const outcomes = await Promise.allSettled(calls);

    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await readdir(directory)).toEqual([]);
  });

  test('stops waiting when the signal aborts, and leaves the lock to its owner', async () => {
    const owner = await lockDirectory(directory);
    const cancel = new AbortController();
    const path = join(directory, 'owner');

    await expect(
      withLock(path, { onWait: () => cancel.abort(), signal: cancel.signal }, async () => {}),
    ).rejects.toThrow(/abort/);

    expect(await readdir(directory)).toEqual(['owner']);
    await owner.release();
  });
});

describe('lockDirectory', () => {
  test('refuses a folder in use, names the process, and takes it once it is released', async () => {
    const first = await lockDirectory(directory);
    const refused = await lockDirectory(directory).catch((error: unknown) => error);

    expect(refused).toBeInstanceOf(DirectoryLockError);
    expect(String(refused)).toContain(`in use by process ${process.pid}`);
    await first.release();
    await (await lockDirectory(directory)).release();
  });
});
