import { availableParallelism } from 'node:os';
import { median, percentile, print, printTable } from '../support/report.ts';
import type { Outcome, Phase } from './phases.ts';

type Outcomes = ReadonlyMap<string, readonly Outcome[]>;

export function printPhase(phase: Phase, turns: number, outcomes: Outcomes): void {
  print(`${phase.title} (${turns} turns of ${phase.seconds} s each, by turns)`);
  printSpeed(phase, outcomes);
  printCosts(phase, outcomes);
  print('');
}

function printSpeed({ unit, latency }: Phase, outcomes: Outcomes): void {
  const rows = [...outcomes].map(([name, turns]) => {
    const rates = turns.map(({ jobs, seconds }) => jobs / seconds);
    return [name, withRange(rates, 0), ...latencies(turns).map((value) => value.toFixed(1))];
  });
  const [product, plain] = [outcomes.get('product'), outcomes.get('plain')];
  if (product !== undefined && plain !== undefined) {
    const ratios = product.map((mine, turn) => {
      const theirs = plain[turn] as Outcome;
      return mine.jobs / mine.seconds / (theirs.jobs / theirs.seconds);
    });
    const [p50, p99] = latencies(product).map((value, at) => value / (latencies(plain)[at] as number));
    rows.push([
      'product / plain',
      withRange(ratios, 2),
      (p50 as number).toFixed(2),
      (p99 as number).toFixed(2),
    ]);
  }
  printTable(['', `${unit}/s`, 'p50 ms', 'p99 ms'], rows);
  const all = [...outcomes.values()].flat();
  const available = total(all, ({ seconds }) => seconds) * 1000 * availableParallelism();
  const others = ((total(all, ({ othersCpuMs }) => othersCpuMs) / available) * 100).toFixed(0);
  print(`  (times are ${latency}; other programs took ${others} % of the machine's CPU meanwhile)`);
}

function latencies(turns: readonly Outcome[]): number[] {
  const all = turns.flatMap(({ latenciesMs }) => latenciesMs);
  return [percentile(all, 0.5), percentile(all, 0.99)];
}

const PROCESSES = ['server', 'worker', 'postgres', 'broker'] as const;

function printCosts({ unit }: Phase, outcomes: Outcomes): void {
  const each = unit.slice(0, -1);
  for (const [what, key] of [
    [`CPU ms per ${each}`, 'cpuMs'],
    [`reads and writes per ${each}`, 'calls'],
  ] as const) {
    const values = [...outcomes].map(([name, turns]) => {
      const per = (process: string) => perJob(turns, ({ costs }) => costs[process]?.[key] ?? 0);
      const services = PROCESSES.map(per);
      return { name, values: [...services, services.reduce((sum, value) => sum + value, 0), per('client')] };
    });
    const rows = values.map(({ name, values }) => [name, ...values.map((value) => value.toFixed(2))]);
    const [product, plain] = [values.find(isProduct), values.find((each) => !isProduct(each))];
    if (product !== undefined && plain !== undefined) {
      const ratio = (product.values[PROCESSES.length] ?? 0) / (plain.values[PROCESSES.length] ?? 0);
      rows.push(['product / plain', ...PROCESSES.map(() => ''), ratio.toFixed(2), '']);
    }
    printTable([what, ...PROCESSES, 'together', 'client'], rows);
  }
  const rows = [...outcomes].map(([name, turns]) => [
    name,
    ...(['statements', 'commits', 'walFlushes'] as const).map((key) =>
      perJob(turns, ({ counts }) => counts[key]).toFixed(2),
    ),
  ]);
  printTable([`Postgres per ${each}`, 'statements', 'commits', 'flushes of its log'], rows);
}

const isProduct = ({ name }: { readonly name: string }): boolean => name === 'product';

const perJob = (turns: readonly Outcome[], of: (turn: Outcome) => number): number =>
  total(turns, of) / total(turns, ({ jobs }) => jobs);

/** The statements that an outcome's jobs took, the most frequent first. */
export function printKinds(name: string, turns: readonly Outcome[], limit: number): void {
  const last = turns.at(-1);
  if (last === undefined || limit === 0) return;
  print(`Statements of ${name} per job, last turn`);
  const rows = last.counts.kinds
    .slice(0, limit)
    .map(({ text, calls, totalMs }) => [
      (calls / last.jobs).toFixed(2),
      (totalMs / calls).toFixed(3),
      text.replaceAll(/\s+/g, ' ').slice(0, 100),
    ]);
  printTable(['per job', 'ms each', ''], rows, 2);
  print('');
}

function withRange(values: readonly number[], digits: number): string {
  const sorted = values.toSorted((a, b) => a - b).map((value) => value.toFixed(digits));
  return `${median(values).toFixed(digits)} (${sorted[0]} to ${sorted.at(-1)})`;
}

const total = (turns: readonly Outcome[], of: (turn: Outcome) => number): number =>
  turns.reduce((sum, turn) => sum + of(turn), 0);
