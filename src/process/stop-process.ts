import { setTimeout as delay } from 'node:timers/promises';
import { identityOf } from './process-identity.ts';

export interface StopStep {
  readonly signal: NodeJS.Signals;
  readonly waitMs: number;
}

/** Sends one signal after the other until `exited` settles; the last step's wait is all the time there is. */
export async function stopInSteps(
  send: (signal: NodeJS.Signals) => void,
  exited: Promise<unknown>,
  steps: readonly StopStep[],
): Promise<boolean> {
  for (const step of steps) {
    send(step.signal);
    const waiting = new AbortController();
    const timer = delay(step.waitMs, false, { signal: waiting.signal }).catch(() => false);
    const ended = await Promise.race([exited.then(() => true), timer]);
    waiting.abort();
    if (ended) return true;
  }
  return false;
}

/** Ends a process that is not our child: a leftover of a run that was killed. */
export async function stopStranger(pid: number, steps: readonly StopStep[]): Promise<boolean> {
  const identity = await identityOf(pid);
  if (identity === null) return true;
  const watching = new AbortController();
  try {
    return await stopInSteps((signal) => send(pid, signal), untilGone(pid, identity, watching.signal), steps);
  } finally {
    watching.abort();
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Nothing tells a process of a stranger's end, so this looks; it is bounded by the caller's steps. */
async function untilGone(pid: number, identity: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && (await identityOf(pid)) === identity) {
    await delay(50, undefined, { signal }).catch(() => undefined);
  }
}
