import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

export interface MemberOptions {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Exit codes that the plan causes. */
  readonly plannedExitCodes: readonly number[];
  readonly onSurprise: (text: string) => void;
}

const READY_TIMEOUT_MS = 60_000;
/** The pause before a failed start is repeated. */
const RESTART_MS = 500;

/** One server or worker process, restarted whenever it ends, until the end of the run. */
export class Member {
  readonly name: string;
  readonly #options: MemberOptions;
  readonly #ended = new AbortController();
  #child: ChildProcess | null = null;
  #ready: Readonly<Record<string, unknown>> | null = null;
  #onReady: () => void = () => undefined;
  #stopped = false;
  #expectEnd = false;
  #running: Promise<void> = Promise.resolve();
  starts = 0;

  constructor(options: MemberOptions) {
    this.#options = options;
    this.name = options.name;
  }

  /** Its ready message; null until it is ready. */
  get ready(): Readonly<Record<string, unknown>> | null {
    return this.#ready;
  }

  get isFrozen(): boolean {
    return this.#stopped;
  }

  start(): void {
    this.#running = this.#supervise();
  }

  async whenReady(withinMs: number): Promise<void> {
    if (this.#ready !== null) return;
    const ready = new Promise<void>((resolve) => {
      this.#onReady = resolve;
    });
    const late = delay(withinMs, 'late', { ref: false });
    if ((await Promise.race([ready, late])) === 'late') {
      throw new Error(`${this.name} was not ready within ${withinMs / 1000} s; see ${this.#options.logFile}`);
    }
  }

  /** False when there is no process to signal. */
  signal(signal: NodeJS.Signals): boolean {
    if (this.#child === null || this.#ready === null) return false;
    if (signal === 'SIGKILL' || signal === 'SIGTERM') this.#expectEnd = true;
    if (signal === 'SIGSTOP') this.#stopped = true;
    if (signal === 'SIGCONT') this.#stopped = false;
    return this.#child.kill(signal);
  }

  /** Ends the process and does not restart it. */
  async end(): Promise<void> {
    this.#ended.abort();
    this.#expectEnd = true;
    const child = this.#child;
    child?.kill('SIGCONT');
    child?.kill('SIGTERM');
    const hard = setTimeout(() => child?.kill('SIGKILL'), 20_000);
    await this.#running;
    clearTimeout(hard);
  }

  async #supervise(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      this.starts += 1;
      const { code, wasReady } = await this.#runOnce();
      const planned = this.#expectEnd || (code !== null && this.#options.plannedExitCodes.includes(code));
      if (!planned && wasReady) this.#options.onSurprise(`${this.name} ended by itself with code ${code}`);
      if (!planned) await delay(RESTART_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #runOnce(): Promise<{ readonly code: number | null; readonly wasReady: boolean }> {
    const { script, args, env, logFile } = this.#options;
    const log = openSync(logFile, 'a');
    const child = spawn(process.execPath, ['--enable-source-maps', script, ...args], {
      env: { ...inherited(), ...env },
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    const killWithUs = (): void => void child.kill('SIGKILL');
    process.once('exit', killWithUs);
    this.#child = child;
    this.#expectEnd = false;
    const late = setTimeout(() => child.kill('SIGKILL'), READY_TIMEOUT_MS);
    child.on('message', (message: { readonly type?: string }) => {
      if (message.type !== 'ready') return;
      clearTimeout(late);
      this.#ready = { ...message };
      this.#onReady();
    });
    if (this.#ended.signal.aborted) child.kill('SIGTERM');
    const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
    clearTimeout(late);
    process.off('exit', killWithUs);
    const wasReady = this.#ready !== null;
    this.#child = null;
    this.#ready = null;
    this.#stopped = false;
    return { code, wasReady };
  }
}

/** Without the test runner's variables, which change the behaviour of libraries in the child. */
function inherited(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST') && name !== 'NODE_ENV'),
  );
}
