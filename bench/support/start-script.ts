import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface ScriptProcess {
  readonly pid: number;
  /** What it sent once it was ready. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** SIGTERM, and its end awaited. */
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 30_000;

/** Runs a TypeScript file of this folder as a process of its own and waits for its message `{ type: 'ready' }`. */
export async function startScript(
  script: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<ScriptProcess> {
  const path = fileURLToPath(new URL(`../${script}`, import.meta.url));
  const child = fork(path, args, {
    execArgv: ['--enable-source-maps', '--import', 'tsx'],
    env: { ...process.env, ...env },
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  void exited.then(() => process.off('exit', killWithUs));
  const ready = new Promise<ScriptProcess['ready']>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${script} was not ready in time`)), READY_TIMEOUT_MS);
    child.once('message', (message) => {
      clearTimeout(timer);
      resolve({ ...(message as object) });
    });
    void exited.then(() => {
      clearTimeout(timer);
      reject(new Error(`${script} ended while it started`));
    });
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await exited;
  };
  try {
    return { pid: child.pid as number, ready: await ready, stop };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}
