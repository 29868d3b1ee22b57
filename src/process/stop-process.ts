import { identityOf } from './process-identity.ts';
import { sleep, unlessAborted } from './wait.ts';

export interface StopStep {
  readonly signal: NodeJS.Signals;
  readonly waitMs: number;
}

/**
 * Sends one signal after the other until the process has ended.
 *
 * @param ended Resolves when it has; must not reject.
 * @returns False when it still runs after the last step.
 */
export async function stopInSteps(
  send: (signal: NodeJS.Signals) => void,
  ended: Promise<unknown>,
  steps: readonly StopStep[],
): Promise<boolean> {
  for (const { signal, waitMs } of steps) {
    send(signal);
    const limit = AbortSignal.timeout(waitMs);
    await unlessAborted(ended, limit).catch(() => undefined);
    if (!limit.aborted) return true;
  }
  return false;
}

/** Ends a process that is not our child: a leftover of a run that was killed. */
export async function stopStranger(pid: number, steps: readonly StopStep[]): Promise<boolean> {
  const identity = await identityOf(pid);
  if (identity === null) return true;
  const over = new AbortController();
  const ended = untilGone(pid, identity, over.signal);
  return stopInSteps((signal) => send(pid, signal), ended, steps).finally(() => over.abort());
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The system reports only the ends of children, so this polls. */
async function untilGone(pid: number, identity: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await identityOf(pid)) === identity) await sleep(50, signal);
}
