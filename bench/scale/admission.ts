import pg from 'pg';
import { NO_CREDITS } from '../../src/domain/fairness.ts';
import { admitFairly } from '../../src/leader/admission.ts';
import type { Logger } from '../../src/observability/logger.ts';
import { openDatabase } from '../../src/storage/database.ts';
import { createJobSchedule } from '../../src/storage/job-schedule.ts';
import { migrate } from '../../src/storage/migrate.ts';
import { median, percentile, print, printTable } from '../support/report.ts';
import { type FillSize, fillWaiting } from './fill.ts';

/** Free places that a round finds: as with twenty slots. */
const READY_TARGET = 40;
const ROUNDS = 100;
const SMALL: FillSize = { jobs: 10_000, tenants: 10 };
const MOST = 1.2;

/** Rounds of admission with very many waiting jobs against some, by turns, each in a database of its own. */
export async function measureAdmission(databaseUrl: string, log: Logger, large: FillSize): Promise<void> {
  const sizes = [SMALL, { jobs: large.jobs, tenants: large.tenants }];
  const rigs = [];
  try {
    for (const [at, size] of sizes.entries())
      rigs.push(await openRig(databaseUrl, `admission_${at}`, size, log));
    for (let round = -5; round < ROUNDS; round += 1) {
      for (const { admit, times } of rigs) {
        const ms = await admit();
        if (round >= 0) times.push(ms);
      }
    }
    print(`A round of admission with ${READY_TARGET} free places, ${ROUNDS} of each, by turns`);
    const rows = rigs.map(({ size, times }) => [
      `${size.jobs} jobs of ${size.tenants} tenants wait`,
      ...[0.5, 0.99].map((share) => percentile(times, share).toFixed(2)),
    ]);
    printTable(['', 'p50 ms', 'p99 ms'], rows);
    const [few, many] = rigs.map(({ times }) => median(times));
    print(`  ratio ${((many ?? 0) / (few ?? 1)).toFixed(2)}, aim ${MOST}\n`);
  } finally {
    for (const { close } of rigs) await close();
  }
}

async function openRig(databaseUrl: string, name: string, size: FillSize, log: Logger) {
  const url = await createDatabase(databaseUrl, name);
  await migrate(url, log);
  await fillWaiting(url, size);
  const database = await openDatabase({ url, poolSize: 2, log, relaxedCommits: true });
  const schedule = createJobSchedule(database);
  let credits = NO_CREDITS;
  /** One round; what it admitted waits again afterwards. */
  const admit = async (): Promise<number> => {
    const begunAt = performance.now();
    const request = { queue: 'whisper', readyTarget: READY_TARGET, now: new Date() } as const;
    const round = await admitFairly(schedule, request, credits);
    const ms = performance.now() - begunAt;
    credits = round.credits;
    if (round.jobs.length !== READY_TARGET) throw new Error(`${round.jobs.length} jobs were admitted`);
    await schedule.withdraw('whisper');
    return ms;
  };
  const times: number[] = [];
  return { size, admit, times, close: () => database.destroy() };
}

async function createDatabase(databaseUrl: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${name}`);
  } finally {
    await client.end();
  }
  const url = new URL(databaseUrl);
  url.pathname = `/${name}`;
  return url.href;
}
