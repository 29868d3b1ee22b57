import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';
import { runChild } from '../../../src/process/run-child.ts';

const never = new AbortController().signal;
const onLinux = process.platform === 'linux';

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('reports lines as they come, and how the program ended', async () => {
  const lines: string[] = [];
  const exit = await runChild(
    'sh',
    ['-c', 'echo one; echo two >&2; echo three; exit 7'],
    { onLine: (line) => lines.push(line) },
    never,
  );
  expect(lines).toEqual(['one', 'three']);
  expect(exit).toMatchObject({ code: 7, signal: null, errorTail: 'two\n' });
});

test('keeps the first and the last of a flood of output', async () => {
  const exit = await runChild('sh', ['-c', 'yes a long line | head -c 5000000 >&2; echo end >&2'], {}, never);
  expect(exit.errorHead.length).toBeLessThan(20_000);
  expect(exit.errorTail.length).toBeLessThanOrEqual(4096);
  expect(exit.errorTail).toContain('end');
});

test('cuts what it keeps between characters', async () => {
  // Each is a pair of UTF-16 units, and the spaces put pairs across the ends of both parts.
  const flood = 'process.stderr.write(` ` + `\\u{1F600}`.repeat(20000) + ` `)';
  const exit = await runChild(process.execPath, ['-e', flood], {}, never);
  expect(exit.errorHead).toMatch(/^ (?:\u{1F600})+$/u);
  expect(exit.errorTail).toMatch(/^(?:\u{1F600})+ $/u);
  expect(exit.errorTail.length).toBeGreaterThan(4000);
});

test('kills a program and those it started, and reports no line after', async () => {
  const cancel = new AbortController();
  const reason = new Error('enough');
  const pids: number[] = [];
  const call = runChild(
    'sh',
    ['-c', 'sleep 60 & echo $!; while true; do echo 0; sleep 0.01; done'],
    {
      onLine: (line) => {
        pids.push(Number(line));
        if (pids.length === 2) cancel.abort(reason);
      },
    },
    cancel.signal,
  );
  await expect(call).rejects.toBe(reason);
  expect(pids).toHaveLength(2);
  await expect.poll(() => isRunning(pids[0] ?? 0), { timeout: 5000 }).toBe(false);
});

test('ends the program when a listener throws, with what it threw', async () => {
  const fault = new Error('the listener is at fault');
  const call = runChild(
    'sh',
    ['-c', 'echo one; exec sleep 60'],
    {
      onLine: () => {
        throw fault;
      },
    },
    never,
  );
  await expect(call).rejects.toBe(fault);
});

test.runIf(onLinux)('bounds the memory of a program', async () => {
  const lines: string[] = [];
  const limits = { memoryBytes: 512 * 1024 ** 2, cpuSeconds: 10, fileBytes: 1024 ** 2 };
  await runChild('sh', ['-c', 'ulimit -v; ulimit -t'], { limits, onLine: (line) => lines.push(line) }, never);
  expect(lines).toEqual([String(512 * 1024), '10']);
});

test.runIf(onLinux)('a program dies with this process, even when that is killed', async () => {
  const script = `
    import { runChild } from './src/process/run-child.ts';
    await runChild('sh', ['-c', 'echo $$; exec sleep 60'], { onLine: (pid) => console.log(pid) },
      new AbortController().signal);`;
  const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    cwd: `${import.meta.dirname}/../../..`,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: parent.stdout });
  const pid = await new Promise<number>((resolve) => lines.once('line', (line) => resolve(Number(line))));
  expect(isRunning(pid)).toBe(true);
  parent.kill('SIGKILL');
  await expect.poll(() => isRunning(pid), { timeout: 5000 }).toBe(false);
});
