import { type Breach, CHECKS } from './audit.ts';
import { FAULT_KINDS, type FaultKind } from './plan.ts';

export interface ChaosReport {
  readonly seed: number;
  readonly minutes: number;
  readonly natsVersion: string;
  readonly calmSeconds: number;
  readonly jobs: {
    readonly submitted: number;
    readonly completed: number;
    readonly canceled: number;
    readonly failed: number;
    readonly deadLettered: number;
    readonly attempts: number;
    readonly resumed: number;
  };
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly apiRetries: number;
  readonly clients: { readonly count: number; readonly sessions: number };
  /** Milliseconds from a worker's SIGKILL to the next `started` of each of its jobs. */
  readonly recovery: RecoveryTimes;
  /** Those of them during which nothing else broke. */
  readonly quietRecovery: RecoveryTimes;
  readonly breaches: readonly Breach[];
}

export interface RecoveryTimes {
  readonly count: number;
  readonly p50: number | null;
  readonly p99: number | null;
}

/** As a Markdown table. */
export function toTable(report: ChaosReport): string {
  const { jobs, clients } = report;
  const rows: [string, string | number][] = [
    ['jobs submitted', jobs.submitted],
    ['completed', jobs.completed],
    ['canceled', jobs.canceled],
    ['failed, as scripted or as poison', jobs.failed],
    ['of these, dead letters', jobs.deadLettered],
    ['attempts started', jobs.attempts],
    ['attempts that continued at a checkpoint', jobs.resumed],
    ...CHECKS.map((check): [string, number] => [check, countOf(report, check)]),
    ['recovery after the SIGKILL of a worker, p50 / p99', timesOf(report.recovery)],
    ['the same, with no fault of NATS or of another worker meanwhile', timesOf(report.quietRecovery)],
    ...FAULT_KINDS.map((kind): [string, number] => [`fault: ${kind}`, report.faults[kind] ?? 0]),
    ['API calls retried', report.apiRetries],
    ['cursor clients / sessions', `${clients.count} / ${clients.sessions}`],
    ['seconds from the end of the storm until all jobs finished', report.calmSeconds],
  ];
  const title = `| seed ${report.seed}, ${report.minutes} min, nats-server ${report.natsVersion} | |\n| --- | ---: |`;
  return `${title}\n${rows.map(([name, value]) => `| ${name} | ${value} |`).join('\n')}\n`;
}

const countOf = ({ breaches }: ChaosReport, check: Breach['check']): number =>
  breaches.filter((breach) => breach.check === check).length;

function timesOf({ count, p50, p99 }: RecoveryTimes): string {
  const seconds = (ms: number | null): string => (ms === null ? 'none' : `${(ms / 1000).toFixed(1)} s`);
  return `${seconds(p50)} / ${seconds(p99)} (${count})`;
}
