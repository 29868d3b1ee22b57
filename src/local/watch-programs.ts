import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { deathSignalPrefix } from '../process/death-signal.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const STOP_MS = 10_000;

/** The server and the worker from the sources; each restarts when a file that it imports changes. */
export async function watchPrograms(
  env: NodeJS.ProcessEnv,
): Promise<{ readonly stop: () => Promise<void>; readonly killNow: () => void }> {
  // Development dependencies, which an installation for production lacks.
  const { default: pretty } = await import('pino-pretty');
  const prefix = await deathSignalPrefix('TERM');
  const programs = ['src/main.ts', 'worker/main.ts'].map((script) => {
    const node = [process.execPath, '--watch', '--watch-preserve-output', '--import', 'tsx', script];
    const [file = process.execPath, ...args] = [...prefix, ...node];
    const program = execa(file, args, {
      cwd: ROOT,
      env,
      // A process group each: Ctrl-C reaches only us, and the watcher can be killed with what it watches.
      detached: true,
      stdin: 'ignore',
      all: true,
      buffer: false,
      reject: false,
      forceKillAfterDelay: STOP_MS,
    });
    program.all.pipe(pretty({ ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' }));
    return program;
  });
  return {
    stop: async () => {
      for (const program of programs) program.kill('SIGTERM');
      await Promise.all(programs);
    },
    killNow: () => {
      for (const { pid, exitCode, signalCode } of programs) {
        if (pid !== undefined && exitCode === null && signalCode === null) process.kill(-pid, 'SIGKILL');
      }
    },
  };
}
