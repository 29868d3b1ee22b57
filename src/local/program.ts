import { EventEmitter, once } from 'node:events';
import { Child, describeExit } from '../process/child.ts';
import { unlessAborted } from '../process/wait.ts';
import { LocalServiceError, type Running } from './local-service.ts';
import { lastLines, openLogFile } from './log-file.ts';

export interface ProgramOptions {
  /** For people, such as `The worker`. */
  readonly name: string;
  /** The compiled file to run. */
  readonly script: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  /** How long it may take to end after SIGTERM. */
  readonly graceMs: number;
  /** What it does while it is not ready yet. */
  readonly onStatus: (text: string) => void;
}

export interface RunningProgram extends Running {
  /** What it sent when it was ready. */
  readonly ready: Readonly<Record<string, unknown>>;
}

/**
 * Starts the server or the worker as a child process; resolves when it is ready.
 *
 * @throws LocalServiceError with its last lines when it ends first; the signal's reason.
 */
export async function startProgram(options: ProgramOptions, signal: AbortSignal): Promise<RunningProgram> {
  const { script, env, logFile, graceMs, onStatus } = options;
  const events = new EventEmitter();
  const ready = once(events, 'ready');
  const onMessage = (message: unknown): void => {
    if (typeof message !== 'object' || message === null || !('type' in message)) return;
    if (message.type === 'ready') events.emit('ready', message);
    if (message.type === 'status' && 'text' in message) onStatus(String(message.text));
  };
  const log = await openLogFile(logFile);
  const child = await Child.start([process.execPath, '--enable-source-maps', script], {
    env,
    deathSignal: 'TERM',
    logFile: log.fd,
    onMessage,
  }).finally(() => log.close());
  const exited = child.ended.then(
    async (exit) => `${describeExit(exit)}. Its last lines:\n${await lastLines(logFile)}`,
  );
  const stop = async (): Promise<void> => {
    await child.stop([
      { signal: 'SIGTERM', waitMs: graceMs },
      { signal: 'SIGKILL', waitMs: 5_000 },
    ]);
  };
  try {
    const first = await unlessAborted(Promise.race([ready, exited]), signal);
    if (typeof first !== 'string') return { ready: first[0], exited, stop };
    throw new LocalServiceError(`${options.name} did not start: ${first}`);
  } catch (error) {
    await stop();
    throw error;
  }
}
