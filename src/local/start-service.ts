import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Logger } from '../observability/logger.ts';
import { Child, type ChildOptions, describeExit } from '../process/child.ts';
import { lockDirectory } from '../process/file-lock.ts';
import type { StopStep } from '../process/stop-process.ts';
import { aborted, unlessAborted, withTimeout } from '../process/wait.ts';
import { type LocalService, LocalServiceError } from './local-service.ts';

export interface ServiceOptions extends Pick<ChildOptions, 'prefix' | 'env' | 'uid' | 'gid'> {
  readonly name: string;
  readonly command: readonly string[];
  /** The line on standard error by which it reports that it is ready. */
  readonly ready: RegExp;
  readonly readyTimeoutMs?: number;
  readonly stopSteps?: readonly StopStep[];
  /** Aborts the start. */
  readonly signal?: AbortSignal | undefined;
  /** Gets the lines on standard error. */
  readonly log: Logger;
}

export type Service = Pick<LocalService, 'pid' | 'exited' | 'stop' | 'kill'>;

/** By SIGINT, since nats-server 2.9 ends with code 1 at SIGTERM. */
export const STOP_BY_INTERRUPT: readonly StopStep[] = [
  { signal: 'SIGINT', waitMs: 10_000 },
  { signal: 'SIGKILL', waitMs: 5_000 },
];

/**
 * Starts a server as a child process; resolves when it is ready.
 *
 * @throws LocalServiceError with its last lines when it cannot run, ends first or is not ready in time.
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { name, log, readyTimeoutMs = 60_000, stopSteps = STOP_BY_INTERRUPT } = options;
  const { signal = new AbortController().signal } = options;
  const isReady = new AbortController();
  const onErrorLine = (line: string): void => {
    log.debug({ service: name }, line);
    if (options.ready.test(line)) isReady.abort();
  };
  const { prefix, env, uid, gid } = options;
  const child = await Child.start(options.command, {
    ...{ prefix, env, uid, gid, onErrorLine },
    deathSignal: 'INT',
  }).catch((error: unknown) => {
    throw new LocalServiceError(`${name} cannot be run: ${String(error)}`, { cause: error });
  });
  const exited = child.ended.then(describeExit);
  const service = {
    pid: child.pid,
    exited,
    stop: async () => void (await child.stop(stopSteps)),
    kill: async () => void (await child.stop([{ signal: 'SIGKILL', waitMs: 10_000 }])),
  };
  const problem = await unlessAborted(
    Promise.race([aborted(isReady.signal), exited.then((how) => `ended while starting (${how})`)]),
    withTimeout(signal, readyTimeoutMs),
  ).catch(() =>
    signal.aborted ? 'was stopped while starting' : `was not ready within ${readyTimeoutMs / 1000} s`,
  );
  if (problem === undefined) return service;
  await service.stop();
  throw new LocalServiceError(`${name} ${problem}. Its last lines:\n${child.errorTail.trimEnd()}`);
}

/**
 * Starts a server on a data folder, which it creates if it is missing and keeps from other processes until the server
 * is stopped.
 *
 * @throws DirectoryLockError; what `start` throws.
 */
export async function startOnFolder(
  path: string,
  start: (directory: string) => Promise<Service & { readonly url: string; readonly port: number }>,
): Promise<LocalService> {
  const directory = resolve(path);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const lock = await lockDirectory(directory);
  try {
    const service = await start(directory);
    return {
      ...service,
      stop: () => service.stop().finally(lock.release),
      kill: () => service.kill().finally(lock.release),
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}
