import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { execa } from 'execa';
import { firstChars, lastChars } from '../domain/cut-text.ts';
import { type ChildLimits, type DeathSignal, kernelPrefix } from './kernel-prefix.ts';
import { type StopStep, stopInSteps } from './stop-process.ts';

/** How much of the first and of the last output on standard error is kept. */
const HEAD_CHARS = 16_384;
const TAIL_CHARS = 4096;

export interface ChildOptions {
  readonly cwd?: string;
  /** In addition to our own variables. */
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** What runs the command, such as `unshare`; it must exec, so that the process keeps its id. */
  readonly prefix?: readonly string[];
  readonly limits?: ChildLimits;
  /** What the child gets when this process is killed (Linux); SIGKILL by default. */
  readonly deathSignal?: DeathSignal;
  /** Takes both outputs, which are then neither read nor kept. */
  readonly logFile?: number;
  /** Bytes as latin1, so that nothing is lost when a line is not UTF-8. */
  readonly onLine?: ((line: string) => void) | undefined;
  readonly onErrorLine?: ((line: string) => void) | undefined;
  /** What a Node program sends by `process.send`. */
  readonly onMessage?: (message: unknown) => void;
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The first and the last output on standard error. */
  readonly errorHead: string;
  readonly errorTail: string;
}

const running = new Set<Child>();
// Children are in process groups of their own, so neither Ctrl-C nor our exit ends them by itself.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A program in a process group of its own. On Linux it dies with this process, even when that is killed. */
export class Child {
  readonly pid: number;
  /** Never rejects. Resolves when the process is gone and its outputs have been read. */
  readonly ended: Promise<ChildExit>;
  #errorHead = '';
  #errorTail = '';
  #isRunning = true;

  private constructor(subprocess: ReturnType<typeof spawn>, pid: number, options: ChildOptions) {
    this.pid = pid;
    running.add(this);
    subprocess.once('exit', () => {
      this.#isRunning = false;
      running.delete(this);
    });
    if (options.onMessage) subprocess.on('message', options.onMessage);
    readLines(subprocess.stdout, 'latin1', options.onLine);
    readLines(subprocess.stderr, 'utf8', options.onErrorLine);
    subprocess.stderr?.on('data', (text: string) => {
      // One less when a pair was cut off; what follows would not continue it.
      if (this.#errorHead.length < HEAD_CHARS - 1) {
        this.#errorHead = firstChars(this.#errorHead + text, HEAD_CHARS);
      }
      this.#errorTail = lastChars(this.#errorTail + text, TAIL_CHARS);
    });
    this.ended = subprocess.then(({ exitCode = null, signal = null }) => ({
      code: exitCode,
      signal,
      errorHead: this.#errorHead,
      errorTail: this.#errorTail,
    }));
  }

  /** @throws The error of the system when the program cannot be run, such as ENOENT. */
  static async start(command: readonly string[], options: ChildOptions = {}): Promise<Child> {
    const prefix = await kernelPrefix(options.deathSignal ?? 'KILL', options.limits);
    const subprocess = spawn([...(options.prefix ?? []), ...prefix, ...command], options);
    if (subprocess.pid === undefined) throw (await subprocess).cause;
    return new Child(subprocess, subprocess.pid, options);
  }

  /** The last output on standard error so far. */
  get errorTail(): string {
    return this.#errorTail;
  }

  /** Sends a signal to the program; SIGKILL also to what it started, such as compilers. */
  kill(signal: NodeJS.Signals): void {
    if (this.#isRunning) process.kill(signal === 'SIGKILL' ? -this.pid : this.pid, signal);
  }

  /** @returns False when it still runs after the last step. */
  async stop(steps: readonly StopStep[]): Promise<boolean> {
    return stopInSteps((signal) => this.kill(signal), this.ended, steps);
  }
}

export function describeExit({ code, signal }: ChildExit): string {
  return signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`;
}

function spawn(command: readonly string[], options: ChildOptions) {
  const [file = '', ...args] = command;
  const { cwd, env, uid, gid, onLine, onMessage } = options;
  // execa takes any file descriptor, but its types list 3 to 9.
  const logFile = options.logFile as 3 | undefined;
  return execa(file, args, {
    ...{ cwd, env, uid, gid },
    detached: true,
    stdin: 'ignore',
    stdout: logFile ?? (onLine ? 'pipe' : 'ignore'),
    stderr: logFile ?? 'pipe',
    ipc: onMessage !== undefined,
    serialization: 'json',
    buffer: false,
    reject: false,
  });
}

function readLines(
  stream: Readable | null,
  encoding: 'latin1' | 'utf8',
  onLine: ((line: string) => void) | undefined,
): void {
  stream?.setEncoding(encoding);
  if (stream && onLine) createInterface({ input: stream }).on('line', onLine);
}
