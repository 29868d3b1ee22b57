import type { Logger } from '../observability/logger.ts';
import { Child, type ChildOptions, describeExit } from '../process/child.ts';
import type { StopStep } from '../process/stop-process.ts';
import { aborted, unlessAborted, withTimeout } from '../process/wait.ts';
import { LocalServiceError } from './local-service.ts';

export interface ServiceCommand extends Pick<ChildOptions, 'prefix' | 'env' | 'uid' | 'gid'> {
  readonly name: string;
  readonly command: readonly string[];
  /** The line on standard error by which it says that it is ready. */
  readonly ready: RegExp;
  readonly log: Logger;
}

/** A server that was started as a child process; its standard error is logged line by line. */
export class ServiceProcess {
  readonly pid: number;
  /** Never rejects; how it ended. */
  readonly exited: Promise<string>;
  readonly #child: Child;
  readonly #name: string;
  readonly #ready: AbortSignal;

  private constructor(child: Child, name: string, ready: AbortSignal) {
    this.pid = child.pid;
    this.exited = child.ended.then(describeExit);
    this.#child = child;
    this.#name = name;
    this.#ready = ready;
  }

  /** @throws LocalServiceError when the program cannot be run at all. */
  static async start(service: ServiceCommand): Promise<ServiceProcess> {
    const { name, command, ready, log, ...options } = service;
    const isReady = new AbortController();
    const onErrorLine = (line: string): void => {
      log.debug({ service: name }, line);
      if (ready.test(line)) isReady.abort();
    };
    try {
      const child = await Child.start(command, { ...options, deathSignal: 'INT', onErrorLine });
      return new ServiceProcess(child, name, isReady.signal);
    } catch (error) {
      throw new LocalServiceError(`${name} cannot be run: ${String(error)}`, { cause: error });
    }
  }

  /** The last lines it wrote, for an error message. */
  get tail(): string {
    return this.#child.errorTail.trimEnd();
  }

  /** @throws LocalServiceError when it ends first, the time is up or the signal aborts; the caller stops it. */
  async untilReady(timeoutMs: number, signal: AbortSignal = new AbortController().signal): Promise<void> {
    const ready = aborted(this.#ready).then(() => null);
    const ended = this.exited.then((how) => `ended while starting (${how})`);
    const problem = await unlessAborted(Promise.race([ready, ended]), withTimeout(signal, timeoutMs)).catch(
      () => (signal.aborted ? 'was stopped while starting' : `was not ready within ${timeoutMs / 1000} s`),
    );
    if (problem !== null)
      throw new LocalServiceError(`${this.#name} ${problem}. Its last lines:\n${this.tail}`);
  }

  async stop(steps: readonly StopStep[]): Promise<void> {
    await this.#child.stop(steps);
  }
}
