import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '../../src/messaging/connection.ts';
import { findTask, publishTask } from '../../src/messaging/tasks.ts';
import type { Cluster } from './cluster.ts';
import type { Member } from './member.ts';
import type { FaultKind, PlannedFault } from './plan.ts';
import type { RunDatabase } from './run-database.ts';

/** A killed worker; the recovery of its jobs is measured. */
export interface Kill {
  readonly workerId: string;
  readonly at: number;
}

export interface StormReport {
  readonly counts: Record<FaultKind, number>;
  readonly kills: readonly Kill[];
  /** Jobs with a duplicated task, which shortens their recovery. */
  readonly duplicated: ReadonlySet<string>;
  /** When any worker was hit by any fault. */
  readonly workerFaults: readonly number[];
}

export interface StormContext {
  readonly cluster: Cluster;
  readonly database: RunDatabase;
  readonly nc: NatsConnection;
  readonly startedAt: number;
}

/** Injects every planned fault at its time; faults without a target are skipped. */
export async function rage(faults: readonly PlannedFault[], context: StormContext): Promise<StormReport> {
  const counts = {} as Record<FaultKind, number>;
  const kills: Kill[] = [];
  const duplicated = new Set<string>();
  const workerFaults: number[] = [];
  for (const [number, fault] of faults.entries()) {
    await delay(Math.max(0, context.startedAt + fault.atMs - Date.now()));
    if (await strike(fault, number, context, { kills, duplicated, workerFaults }))
      counts[fault.kind] = (counts[fault.kind] ?? 0) + 1;
  }
  return { counts, kills, duplicated, workerFaults };
}

async function strike(
  fault: PlannedFault,
  number: number,
  context: StormContext,
  notes: {
    readonly kills: Kill[];
    readonly duplicated: Set<string>;
    readonly workerFaults: number[];
  },
): Promise<boolean> {
  const { cluster } = context;
  const [target, signal] = fault.kind.split('.') as [string, NodeJS.Signals];
  switch (target) {
    case 'worker':
    case 'server': {
      const members = target === 'worker' ? cluster.workers : cluster.servers;
      const member = choose(members, fault.choice);
      // A frozen process can be killed, but it does not handle SIGTERM.
      if (member === null || (member.isFrozen && signal !== 'SIGKILL')) return false;
      const workerId = member.ready?.workerId;
      if (!member.signal(signal)) return false;
      if (target === 'worker') notes.workerFaults.push(Date.now());
      if (signal === 'SIGKILL' && typeof workerId === 'string')
        notes.kills.push({ workerId, at: notes.workerFaults.at(-1) ?? 0 });
      if (signal === 'SIGSTOP') void thaw(member, fault.durationMs);
      return true;
    }
    case 'nats':
    case 'postgres':
      return cluster.killService(target, fault.durationMs);
    default:
      return duplicateTask(fault.choice, number, context, notes.duplicated);
  }
}

function choose(members: readonly Member[], choice: number): Member | null {
  const alive = members.filter((member) => member.ready !== null);
  return alive[Math.floor(choice * alive.length)] ?? null;
}

async function thaw(member: Member, afterMs: number): Promise<void> {
  const frozen = member.ready;
  await delay(afterMs, undefined, { ref: false });
  // Restarted meanwhile: the new process was never frozen.
  if (member.ready === frozen) member.signal('SIGCONT');
}

/** Publishes the same task again under another message id, as a publisher without memory would. */
async function duplicateTask(
  choice: number,
  number: number,
  { database, nc }: StormContext,
  duplicated: Set<string>,
): Promise<boolean> {
  try {
    const sequences = await database.taskSequences();
    const sequence = sequences[Math.floor(choice * sequences.length)];
    const task = sequence === undefined ? null : await findTask(nc, sequence);
    if (task === null) return false;
    duplicated.add(task.jobId);
    await publishTask(nc, { ...task, publication: task.publication + 1_000_000 + number });
    return true;
  } catch {
    return false; // Postgres or NATS is down.
  }
}
