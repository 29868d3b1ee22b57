import { costsOf, machineCpuMs, type ProcessCosts } from '../support/process-costs.ts';
import { countingStatements, type StatementCounts } from '../support/statement-counts.ts';
import type { Side } from './sides.ts';

/** What one phase of one turn came to. */
export interface Outcome {
  readonly jobs: number;
  readonly seconds: number;
  readonly latenciesMs: readonly number[];
  readonly counts: StatementCounts;
  /** By what the process is; `client` is this one. */
  readonly costs: Readonly<Record<string, ProcessCosts>>;
  /** CPU time of programs that have nothing to do with the measurement. */
  readonly othersCpuMs: number;
}

export interface Phase {
  readonly title: string;
  /** What is timed, such as `submit -> answered`. */
  readonly latency: string;
  readonly unit: string;
  readonly seconds: number;
  /** How many go through `step` again and again. */
  readonly actors: number;
  /** Whether jobs may start meanwhile. */
  readonly paused: boolean;
  readonly step: (side: Side) => Promise<Step>;
}

/** One round of an actor. */
interface Step {
  readonly jobs: number;
  readonly latencyMs: number;
}

/** Runs a phase against one side, and counts what it costs. */
export async function runPhase(side: Side, phase: Phase): Promise<Outcome> {
  if (phase.paused) await side.pause();
  const { result, counts } = await countingStatements(side.database, () => measure(side, phase));
  if (phase.paused) await side.clearAndResume();
  return { ...result, counts };
}

async function measure(side: Side, phase: Phase): Promise<Omit<Outcome, 'counts'>> {
  const pids = { ...side.pids, client: process.pid };
  const before = await allCosts(pids);
  const machineBefore = await machineCpuMs();
  const latenciesMs: number[] = [];
  let jobs = 0;
  const startedAt = performance.now();
  const until = startedAt + phase.seconds * 1000;
  const act = async (): Promise<void> => {
    while (performance.now() < until) {
      const step = await phase.step(side);
      jobs += step.jobs;
      latenciesMs.push(step.latencyMs);
    }
  };
  await Promise.all(Array.from({ length: phase.actors }, act));
  const seconds = (performance.now() - startedAt) / 1000;
  const after = await allCosts(pids);
  const machineMs = (await machineCpuMs()) - machineBefore;
  const costs = Object.fromEntries(
    Object.entries(after).map(([name, { cpuMs, calls }]) => [
      name,
      { cpuMs: cpuMs - (before[name]?.cpuMs ?? 0), calls: calls - (before[name]?.calls ?? 0) },
    ]),
  );
  const ours = Object.values(costs).reduce((sum, { cpuMs }) => sum + cpuMs, 0);
  return { jobs, seconds, latenciesMs, costs, othersCpuMs: Math.max(0, machineMs - ours) };
}

async function allCosts(pids: Readonly<Record<string, number>>): Promise<Record<string, ProcessCosts>> {
  const entries = Object.entries(pids).map(async ([name, pid]) => [name, await costsOf(pid)] as const);
  return Object.fromEntries(await Promise.all(entries));
}
