import { fileURLToPath } from 'node:url';
import { Child } from '../process/child.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** The server and the worker from the sources; each restarts when a file that it imports changes. */
export async function watchPrograms(env: NodeJS.ProcessEnv): Promise<{ readonly stop: () => Promise<void> }> {
  // A development dependency, which an installation for production lacks.
  const { default: pretty } = await import('pino-pretty');
  const terminal = pretty({ ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' });
  const onLine = (line: string): void => void terminal.write(`${line}\n`);
  const programs = await Promise.all(
    ['src/main.ts', 'worker/main.ts'].map((script) =>
      Child.start([process.execPath, '--watch', '--watch-preserve-output', '--import', 'tsx', script], {
        cwd: ROOT,
        env,
        deathSignal: 'TERM',
        onLine,
        onErrorLine: onLine,
      }),
    ),
  );
  const steps = [
    { signal: 'SIGTERM', waitMs: 10_000 },
    { signal: 'SIGKILL', waitMs: 5_000 },
  ] as const;
  return { stop: async () => void (await Promise.all(programs.map((program) => program.stop(steps)))) };
}
