import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';

/** What a process took since it began, its children included. */
export interface ProcessCosts {
  readonly cpuMs: number;
  /** System calls that read and that write; those of sockets are most of them. */
  readonly calls: number;
}

const TICK_MS = 1000 / Number(execFileSync('getconf', ['CLK_TCK']));

/** Linux only. Of a process and its children: Postgres is one process for each connection. */
export async function costsOf(pid: number): Promise<ProcessCosts> {
  // Our own children are what is measured.
  const isOurs = pid === process.pid;
  const own = await readCosts(pid, !isOurs);
  if (own === null) throw new Error(`process ${pid} is gone`);
  const children = isOurs ? [] : await childrenOf(pid);
  const costs = await Promise.all(children.map((child) => readCosts(child, false)));
  const all = [own, ...costs.filter((each) => each !== null)];
  return {
    cpuMs: sum(all.map(({ cpuMs }) => cpuMs)),
    calls: sum(all.map(({ calls }) => calls)),
  };
}

/** Of all processes of the machine since it started. */
export async function machineCpuMs(): Promise<number> {
  const [first = ''] = (await readFile('/proc/stat', 'utf8')).split('\n');
  const [user, nice, system, , , irq, softirq, steal] = first.split(/\s+/).slice(1).map(Number);
  return sum([user, nice, system, irq, softirq, steal].map((ticks) => ticks ?? 0)) * TICK_MS;
}

/**
 * How much of the machine's CPU went to other processes than these and this one while `work` ran, in percent: how far
 * its times can be trusted.
 */
export async function percentOfOthers(pids: readonly number[], work: () => Promise<void>): Promise<number> {
  const used = async () => {
    const ours = await Promise.all([process.pid, ...pids].map(costsOf));
    return (await machineCpuMs()) - sum(ours.map(({ cpuMs }) => cpuMs));
  };
  const [before, begunAt] = [await used(), performance.now()];
  await work();
  const available = (performance.now() - begunAt) * availableParallelism();
  return Math.max(0, (((await used()) - before) / available) * 100);
}

/** The kernel adds a child's system calls to its parent's when it ends, and its time to fields of their own. */
async function readCosts(pid: number, withEnded: boolean): Promise<ProcessCosts | null> {
  const fields = await readStat(pid);
  const io = await readFile(`/proc/${pid}/io`, 'utf8').catch(() => null);
  if (fields === null || io === null) return null;
  const ticks = fields.slice(11, withEnded ? 15 : 13).map(Number);
  const calls = [...io.matchAll(/^sysc[rw]: (\d+)$/gm)].map(([, count]) => Number(count));
  return { cpuMs: sum(ticks) * TICK_MS, calls: sum(calls) };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

async function childrenOf(parent: number): Promise<number[]> {
  const pids = await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8');
  return pids.split(' ').filter(Boolean).map(Number);
}

/** The fields after the command's name, which may hold spaces: state, parent, … */
async function readStat(pid: number): Promise<string[] | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return text === null ? null : text.slice(text.lastIndexOf(')') + 2).split(' ');
}
