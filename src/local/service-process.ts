import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { createInterface } from 'node:readline';
import type { Logger } from '../observability/logger.ts';
import { deathSignalPrefix } from '../process/death-signal.ts';
import { type StopStep, stopInSteps } from '../process/stop-process.ts';
import { LocalServiceError } from './local-service.ts';

const TAIL_LINES = 20;

export interface ServiceCommand {
  readonly name: string;
  /** What runs the command, such as `unshare`; it must exec, so that the process keeps its id. */
  readonly prefix?: readonly string[];
  readonly command: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** What the child gets when this process dies without a word (Linux only). */
  readonly deathSignal: 'INT' | 'KILL';
  readonly log: Logger;
}

/** A child whose standard error is logged line by line, and which can be awaited and stopped. */
export class ServiceProcess {
  readonly pid: number;
  readonly exited: Promise<string>;
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #lines = new EventEmitter();
  readonly #tail: string[] = [];

  private constructor(child: ChildProcess, pid: number, { name, log }: ServiceCommand) {
    this.#child = child;
    this.#name = name;
    this.pid = pid;
    this.#lines.setMaxListeners(0);
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) =>
        resolve(signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`),
      );
    });
    if (child.stderr === null) throw new Error('the child has no standard error');
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#tail.push(line);
      if (this.#tail.length > TAIL_LINES) this.#tail.shift();
      log.debug({ service: name }, line);
      this.#lines.emit('line', line);
    });
  }

  /** @throws LocalServiceError when the program can't be run at all. */
  static async start(service: ServiceCommand): Promise<ServiceProcess> {
    const [file, ...args] = [
      ...(service.prefix ?? []),
      ...(await deathSignalPrefix(service.deathSignal)),
      ...service.command,
    ];
    if (file === undefined) throw new Error('an empty command');
    // A session of its own: Ctrl-C reaches only us, and we stop things in order.
    const child = spawn(file, args, {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: service.env ?? process.env,
      ...(service.uid === undefined ? {} : { uid: service.uid }),
      ...(service.gid === undefined ? {} : { gid: service.gid }),
    });
    const pid = child.pid;
    if (pid !== undefined) return new ServiceProcess(child, pid, service);
    const reason = await new Promise<Error>((resolve) => child.once('error', resolve));
    throw new LocalServiceError(`${service.name} can't be run: ${reason.message}`, { cause: reason });
  }

  /** The last lines it wrote, for an error message. */
  tail(): string {
    return this.#tail.join('\n');
  }

  /** @throws LocalServiceError when it ends first or the time is up; the caller stops it. */
  async waitForLine(pattern: RegExp, timeoutMs: number, signal?: AbortSignal): Promise<string> {
    const limit = AbortSignal.timeout(timeoutMs);
    const either = signal === undefined ? limit : AbortSignal.any([limit, signal]);
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#lines.off('line', onLine);
        either.removeEventListener('abort', onAbort);
      };
      const fail = (what: string): void => {
        settle();
        reject(new LocalServiceError(`${this.#name} ${what}. Its last lines:\n${this.tail()}`));
      };
      const onLine = (line: string): void => {
        if (!pattern.test(line)) return;
        settle();
        resolve(line);
      };
      const onAbort = (): void =>
        fail(
          limit.aborted ? `was not ready within ${timeoutMs / 1000} s` : 'was told to stop while starting',
        );
      const seen = this.#tail.find((line) => pattern.test(line));
      if (seen !== undefined) return resolve(seen);
      this.#lines.on('line', onLine);
      either.addEventListener('abort', onAbort);
      if (either.aborted) onAbort();
      void this.#closed().then((how) => fail(`ended while starting (${how})`));
    });
  }

  async stop(steps: readonly StopStep[]): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    await stopInSteps((signal) => this.#child.kill(signal), this.exited, steps);
  }

  /** After the exit and after its last line was read. */
  async #closed(): Promise<string> {
    const how = await this.exited;
    if (this.#child.stderr?.closed === false) {
      await new Promise((resolve) => this.#child.once('close', resolve));
    }
    return how;
  }
}
