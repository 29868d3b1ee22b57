import { Command, InvalidArgumentError } from 'commander';
import { FAULT_KINDS, type FaultKind } from './plan.ts';
import { toTable } from './report.ts';
import { runChaos } from './run-chaos.ts';

interface CommandLine {
  readonly minutes: number;
  readonly seed: number;
  readonly jobs?: number;
  readonly workers: number;
  readonly calm: number;
  readonly nats?: string;
  readonly faults?: readonly FaultKind[];
  readonly ease: number;
}

/** Two cores finish this many jobs a minute during the faults. */
const JOBS_A_MINUTE = 25;
const MIN_JOBS = 40;

// Exit handlers end the processes of the run; a signal alone would skip them.
process.once('SIGINT', () => process.exit(130));
process.once('SIGTERM', () => process.exit(143));
await new Command('chaos')
  .description(
    'Injects faults into a whole system of real processes and checks that nothing was lost or done twice.',
  )
  .option('--minutes <n>', 'duration of the storm', toPositive, 2)
  .option(
    '--seed <n>',
    'seed of the plan; the same seed gives the same plan',
    toPositive,
    Date.now() % 100_000,
  )
  .option('--jobs <n>', `jobs to submit (default: ${JOBS_A_MINUTE} a minute)`, toPositive)
  .option('--workers <n>', 'worker processes', toPositive, 4)
  .option('--calm <minutes>', 'time limit for all jobs to finish after the storm', toPositive, 5)
  .option('--nats <path>', 'path of the nats-server to use (default: NATS_SERVER_BIN, or the one found)')
  .option('--faults <kinds>', `inject only these, separated by commas: ${FAULT_KINDS.join(', ')}`, toFaults)
  .option('--ease <n>', 'divide the rate of faults by n', toPositive, 1)
  .action(main)
  .parseAsync();

async function main(options: CommandLine): Promise<void> {
  const { minutes, seed, workers, calm, nats, faults, ease } = options;
  const jobs = options.jobs ?? Math.max(MIN_JOBS, Math.round(minutes * JOBS_A_MINUTE));
  const say = (text: string): void => void process.stdout.write(`${new Date().toISOString()} ${text}\n`);
  say(`seed ${seed}: ${jobs} jobs, ${workers} workers`);
  const { report, directory } = await runChaos({
    ...{ minutes, seed, jobs, workers, calmMinutes: calm },
    natsBinary: nats,
    ...{ faults, ease },
    onProgress: say,
  });
  process.stdout.write(`\n${toTable(report)}\n`);
  for (const { check, jobId, what } of report.breaches.slice(0, 50)) {
    process.stdout.write(`BREACH ${check}: ${jobId ?? ''} ${what}\n`);
  }
  if (report.breaches.length > 0) process.stdout.write(`Logs and events: ${directory}\n`);
  // An open handle must not delay the exit code.
  process.exit(report.breaches.length === 0 ? 0 : 1);
}

function toPositive(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('a number above 0');
  return value;
}

function toFaults(text: string): readonly FaultKind[] {
  return text.split(',').map((name) => {
    const kind = FAULT_KINDS.find((known) => known === name.trim());
    if (kind === undefined) throw new InvalidArgumentError(`unknown kind of fault: ${name}`);
    return kind;
  });
}
