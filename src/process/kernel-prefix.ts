import { execa } from 'execa';
import { findExecutable } from './find-executable.ts';

export type DeathSignal = 'INT' | 'TERM' | 'KILL';

/** Enforced by the kernel where `prlimit` exists (Linux). */
export interface ChildLimits {
  readonly memoryBytes: number;
  readonly cpuSeconds: number;
  readonly fileBytes: number;
}

interface Programs {
  readonly setpriv: string | null;
  readonly prlimit: string | null;
}
let programs: Promise<Programs> | undefined;

/** What to run a command with so that the kernel ends it with this process and bounds what it uses. */
export async function kernelPrefix(
  deathSignal: DeathSignal,
  limits: ChildLimits | undefined,
): Promise<readonly string[]> {
  programs ??= findPrograms();
  const { setpriv, prlimit } = await programs;
  const prefix = setpriv === null ? [] : [setpriv, '--pdeathsig', deathSignal, '--'];
  if (prlimit === null || limits === undefined) return prefix;
  const { memoryBytes, cpuSeconds, fileBytes } = limits;
  const bounds = [`--as=${memoryBytes}`, `--cpu=${cpuSeconds}`, `--fsize=${fileBytes}`, '--core=0'];
  return [...prefix, prlimit, ...bounds, '--'];
}

async function findPrograms(): Promise<Programs> {
  const [setpriv, prlimit] = await Promise.all([
    findWorking('setpriv', ['--pdeathsig', 'KILL']),
    findWorking('prlimit', ['--core=0']),
  ]);
  return { setpriv, prlimit };
}

/** Tried, since busybox has a `setpriv` that lacks the option. */
async function findWorking(name: string, args: readonly string[]): Promise<string | null> {
  const path = await findExecutable(name);
  if (path === null) return null;
  const { failed } = await execa(path, [...args, '--', 'true'], { reject: false, timeout: 5000 });
  return failed ? null : path;
}
