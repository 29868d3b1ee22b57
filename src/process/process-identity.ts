import { readFile } from 'node:fs/promises';
import { execa } from 'execa';

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Differs between processes that had the same id one after the other; null when no such process runs. */
export async function identityOf(pid: number): Promise<string | null> {
  if (!isAlive(pid)) return null;
  if (process.platform !== 'linux') return ps(pid, 'lstart=');
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // The command name, in parentheses, may contain spaces; the start time is the 20th field after it.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields && fields[0] !== 'Z' ? (fields[19] ?? null) : null;
}

/** The command line of a running process; null when it cannot be read. */
export async function commandLineOf(pid: number): Promise<string | null> {
  if (process.platform !== 'linux') return ps(pid, 'command=');
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => null);
  return text === null ? null : text.replaceAll('\0', ' ').trim();
}

async function ps(pid: number, column: string): Promise<string | null> {
  const result = await execa('ps', ['-o', column, '-p', String(pid)], { reject: false, timeout: 5_000 });
  return result.exitCode === 0 ? result.stdout.trim() : null;
}
