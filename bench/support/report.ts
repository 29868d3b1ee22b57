import { availableParallelism, cpus, loadavg } from 'node:os';

/** The value that `share` of all are not above. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

export interface Row {
  readonly what: string;
  readonly valuesMs: readonly number[];
  /** Aims for the median and the 99th percentile. */
  readonly aimMs?: readonly [p50: number, p99: number];
}

/** Prints times and how many of the reference's medians they are. */
export function printTimes(reference: Row, rows: readonly Row[]): void {
  const unit = median(reference.valuesMs);
  print(`${'ms'.padEnd(46)}${['p50', 'p99', 'max', 'p50/ref'].map((head) => head.padStart(9)).join('')}`);
  for (const { what, valuesMs, aimMs } of [reference, ...rows]) {
    const [p50, p99, max] = [0.5, 0.99, 1].map((share) => percentile(valuesMs, share));
    const times = [p50, p99, max].map((value) => (value ?? 0).toFixed(1).padStart(9)).join('');
    const ratio = ((p50 ?? 0) / unit).toFixed(1).padStart(9);
    print(`${what.padEnd(46)}${times}${ratio}${aimMs === undefined ? '' : `   aim ${aimMs.join(' / ')}`}`);
  }
}

export function printMachine(): void {
  const load = loadavg().map((value) => value.toFixed(1));
  print(`${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.version}`);
  print(`load of the last 1, 5, 15 minutes: ${load.join(' ')} (numbers are only good on a calm machine)\n`);
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Columns as wide as they need to be; numbers to the right, the column `leftAligned` to the left. */
export function printTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  leftAligned = 0,
): void {
  const widths = head.map((_, at) => Math.max(...[head, ...rows].map((row) => (row[at] ?? '').length)));
  for (const row of [head, ...rows]) {
    const cells = row.map((cell, at) =>
      at === leftAligned ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0),
    );
    print(`  ${cells.join('   ')}`.trimEnd());
  }
}
