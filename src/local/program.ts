import { Child, describeExit } from '../process/child.ts';
import { sleep } from '../process/wait.ts';
import { lastLines, openLogFile } from './log-file.ts';

export interface ProgramOptions {
  /** For people: `server`, `worker`. */
  readonly name: string;
  /** The compiled file to run. */
  readonly script: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  /** What it does while it is not ready yet. */
  readonly onStatus: (text: string) => void;
  /** What happened to it, for the terminal. */
  readonly onNotice: (text: string) => void;
}

/** A program ended before it was ready, or too often after; the message holds its last lines. */
export class ProgramError extends Error {
  override readonly name = 'ProgramError';
}

export type Ready = Readonly<Record<string, unknown>>;

const MAX_CRASHES = 5;
/** A program that ran this long has recovered; older crashes no longer count. */
const STABLE_MS = 60_000;

/** One program of this project as a child process, restarted when it crashes. */
export class Program {
  /** What it said when it was ready for the first time. @throws ProgramError */
  readonly ready: Promise<Ready>;
  /** Settles, with the reason, when it is given up; not when it is stopped. */
  readonly givenUp: Promise<ProgramError>;
  readonly #options: ProgramOptions;
  readonly #stopping = new AbortController();
  #child: Child | null = null;

  constructor(options: ProgramOptions) {
    this.#options = options;
    let onReady: (ready: Ready) => void = () => undefined;
    let onFailure: (reason: ProgramError) => void = () => undefined;
    this.ready = new Promise((resolve, reject) => {
      onReady = resolve;
      onFailure = reject;
    });
    this.ready.catch(() => undefined);
    this.givenUp = new Promise((resolve) => {
      const giveUp = (reason: unknown): void => {
        const error =
          reason instanceof ProgramError ? reason : new ProgramError(String(reason), { cause: reason });
        onFailure(error);
        resolve(error);
      };
      this.#keepRunning(onReady).catch(giveUp);
    });
  }

  /** SIGTERM, then SIGKILL when it takes longer than `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping.abort();
    await this.#child?.stop([
      { signal: 'SIGTERM', waitMs: graceMs },
      { signal: 'SIGKILL', waitMs: 5_000 },
    ]);
  }

  killNow(): void {
    this.#stopping.abort();
    this.#child?.kill('SIGKILL');
  }

  /** Until it is stopped. @throws ProgramError when there is no point in going on. */
  async #keepRunning(onReady: (ready: Ready) => void): Promise<void> {
    const { name, onNotice } = this.#options;
    let crashes = 0;
    let wasReady = false;
    for (;;) {
      const startedAt = Date.now();
      const how = await this.#runOnce((ready) => {
        if (wasReady) onNotice(`The ${name} is back.`);
        wasReady = true;
        onReady(ready);
      });
      if (this.#stopping.signal.aborted) return;
      const lines = await lastLines(this.#options.logFile);
      if (!wasReady) throw new ProgramError(`The ${name} did not start (${how}). Its last lines:\n${lines}`);
      crashes = Date.now() - startedAt > STABLE_MS ? 1 : crashes + 1;
      if (crashes > MAX_CRASHES) {
        throw new ProgramError(
          `The ${name} crashed ${crashes} times and is given up (${how}). Its last lines:\n${lines}`,
        );
      }
      const waitMs = 500 * 2 ** crashes;
      onNotice(
        `The ${name} crashed (${how}); starting it again in ${waitMs / 1000} s. Its last lines:\n${lines}`,
      );
      await sleep(waitMs, this.#stopping.signal);
      if (this.#stopping.signal.aborted) return;
    }
  }

  async #runOnce(onReady: (ready: Ready) => void): Promise<string> {
    const log = await openLogFile(this.#options.logFile);
    try {
      if (this.#stopping.signal.aborted) return 'stopped before it started';
      this.#child = await Child.start([process.execPath, '--enable-source-maps', this.#options.script], {
        env: this.#options.env,
        deathSignal: 'TERM',
        logFile: log.fd,
        onMessage: (message) => this.#receive(message, onReady),
      });
      return describeExit(await this.#child.ended);
    } finally {
      this.#child = null;
      await log.close();
    }
  }

  #receive(message: unknown, onReady: (ready: Ready) => void): void {
    if (typeof message !== 'object' || message === null || !('type' in message)) return;
    if (message.type === 'ready') onReady({ ...message });
    if (message.type === 'status' && 'text' in message) this.#options.onStatus(String(message.text));
  }
}
