import { execa } from 'execa';

let deathSignals: Promise<boolean> | undefined;

/** Asks the kernel, where it can, to end the child with us; busybox's setpriv can't, so it is tried first. */
export async function deathSignalPrefix(signal: 'INT' | 'TERM' | 'KILL'): Promise<readonly string[]> {
  if (process.platform !== 'linux') return [];
  deathSignals ??= execa('setpriv', ['--pdeathsig', 'KILL', 'true'], { reject: false, timeout: 5_000 }).then(
    (result) => result.exitCode === 0,
  );
  return (await deathSignals) ? ['setpriv', '--pdeathsig', signal] : [];
}
