import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { findExecutable } from './find-executable.ts';

/** How much of the first and of the last output on standard error is kept. */
const HEAD_CHARS = 16_384;
const TAIL_CHARS = 4096;

export interface ChildLimits {
  readonly memoryBytes: number;
  readonly cpuSeconds: number;
  readonly fileBytes: number;
}

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Kills the programs it started too, such as compilers. */
  readonly group?: boolean;
  /** Enforced by the kernel where `prlimit` exists (Linux). */
  readonly limits?: ChildLimits;
  /** Bytes as latin1, so that nothing is lost when a line is not UTF-8. */
  readonly onLine?: (line: string) => void;
  readonly onErrorLine?: (line: string) => void;
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The first and the last that it wrote to standard error. */
  readonly errorHead: string;
  readonly errorTail: string;
}

/**
 * Runs a program to its end, however it ends. On Linux it dies with this process, even when that is killed.
 * Aborting kills it with SIGKILL and rejects with the signal's reason once it is gone; no line is told after.
 * @throws The error of `spawn`, such as ENOENT; what a listener threw, which ends the program too.
 */
export async function runChild(
  command: string,
  args: readonly string[],
  options: ChildOptions,
  signal: AbortSignal,
): Promise<ChildExit> {
  signal.throwIfAborted();
  const [file, ...rest] = [...(await wrapping(options.limits)), command, ...args];
  const child = spawn(file as string, rest, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    windowsHide: true,
    detached: options.group ?? false,
  });
  const kill = () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    if (options.group === true && child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    else child.kill('SIGKILL');
  };
  let listenerFailure: { readonly error: unknown } | null = null;
  const tell = (listener: ((line: string) => void) | undefined) => (line: string) => {
    if (signal.aborted || listenerFailure !== null) return;
    try {
      listener?.(line);
    } catch (error) {
      listenerFailure = { error };
      kill();
    }
  };
  let errorHead = '';
  let errorTail = '';
  createInterface({ input: child.stdout.setEncoding('latin1') }).on('line', tell(options.onLine));
  createInterface({ input: child.stderr.setEncoding('utf8') })
    .on('line', (line) => {
      if (errorHead.length < HEAD_CHARS) errorHead += `${line}\n`;
      errorTail = `${errorTail}${line}\n`.slice(-TAIL_CHARS);
    })
    .on('line', tell(options.onErrorLine));
  signal.addEventListener('abort', kill, { once: true });
  try {
    return await new Promise<ChildExit>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, deathSignal) => {
        if (signal.aborted) reject(signal.reason);
        else if (listenerFailure !== null) reject(listenerFailure.error);
        else resolve({ code, signal: deathSignal, errorHead, errorTail });
      });
    });
  } finally {
    signal.removeEventListener('abort', kill);
  }
}

async function wrapping(limits: ChildLimits | undefined): Promise<string[]> {
  wrappers = wrappers ?? findWrappers();
  const { setpriv, prlimit } = await wrappers;
  const parts: string[] = [];
  if (setpriv !== null) parts.push(setpriv, ...DIE_WITH_PARENT, '--');
  if (prlimit !== null && limits !== undefined) {
    const { memoryBytes, cpuSeconds, fileBytes } = limits;
    parts.push(
      prlimit,
      `--as=${memoryBytes}`,
      `--cpu=${cpuSeconds}`,
      `--fsize=${fileBytes}`,
      '--core=0',
      '--',
    );
  }
  return parts;
}

const DIE_WITH_PARENT = ['--pdeathsig', 'KILL'];
let wrappers: Promise<{ readonly setpriv: string | null; readonly prlimit: string | null }> | null = null;

/** Looked for once, and tried: busybox has a `setpriv` that lacks the option. */
async function findWrappers() {
  const [setpriv, prlimit] = await Promise.all([
    findWorking('setpriv', DIE_WITH_PARENT),
    findWorking('prlimit', ['--core=0']),
  ]);
  return { setpriv, prlimit };
}

async function findWorking(name: string, args: readonly string[]): Promise<string | null> {
  const path = await findExecutable(name);
  if (path === null) return null;
  return new Promise((resolve) => {
    execFile(path, [...args, '--', 'true'], { timeout: 5000 }, (error) =>
      resolve(error === null ? path : null),
    );
  });
}
