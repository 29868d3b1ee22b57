import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import pg from 'pg';
import { GraphQLClient } from '../test/support/graphql-client.ts';
import { ApiClient } from './queue/api-client.ts';
import { measureAdmission } from './scale/admission.ts';
import { fillJobs, PAUSE_WHISPER } from './scale/fill.ts';
import { DEEP_CURSOR, KNOWN_STATEMENTS, type Known, QUESTIONS, REFERENCE } from './scale/questions.ts';
import { printTimesOf, type Timed, timeQuestion } from './scale/time-questions.ts';
import { costsOf, percentOfOthers } from './support/process-costs.ts';
import { print, printMachine, printTable } from './support/report.ts';
import { countingStatements } from './support/statement-counts.ts';
import { type WholeSystem, withWholeSystem } from './support/whole-system.ts';

/**
 * A million jobs in the table: what every list, filter, search, count and position of the API takes, a submit, a round
 * of admission, and a minute in which nothing happens.
 *
 *   npm run bench:scale [-- --jobs 1000000 --tenants 1000 --only <pattern>]
 */
const options = new Command('npm run bench:scale --')
  .option('--jobs <n>', 'jobs in the table', Number, 1_000_000)
  .option('--tenants <n>', 'tenants that have them', Number, 1000)
  .option('--seconds <n>', 'longest time for one question', Number, 1)
  .option('--idle <n>', 'seconds of doing nothing; 0 to leave it out', Number, 60)
  .option('--only <pattern>', 'only questions whose name matches; no submits, no admission, no idle time')
  .parse()
  .opts<{ jobs: number; tenants: number; seconds: number; idle: number; only?: string }>();

const ENGINE = fileURLToPath(new URL('../test/support/scripted-engine.mjs', import.meta.url));
const SUBMITS = 300;
const SUBMIT_CONNECTIONS = 50;
/** Workers of an engine that is absent for this long count as gone, and the server does something about it. */
const ABSENT_SECONDS = 60;

const env = {
  NODE_ENV: 'production',
  ENGINE_ABSENT_SECONDS: String(ABSENT_SECONDS),
  // The runs that the rows tell of have no worker, and are not what is measured.
  RECONCILE_SILENT_SECONDS: '86400',
  WORKER_LOST_SECONDS: '3600',
};

await withWholeSystem(
  { statistics: true, workerArgs: ['--engine', ENGINE], env, prepare },
  async (system) => {
    const startedAt = performance.now();
    const database = new pg.Pool({ connectionString: system.databaseUrl, max: 1 });
    try {
      const reference = await measureQuestions(system, database);
      if (options.only !== undefined) return;
      await measureSubmits(system, reference);
      await delay(Math.max(0, startedAt + 1.2 * ABSENT_SECONDS * 1000 - performance.now()));
      if (options.idle > 0) await measureIdle(system, database);
      await measureAdmission(system.databaseUrl, system.log, options);
    } finally {
      await database.end();
    }
  },
);

async function prepare(databaseUrl: string): Promise<void> {
  printMachine();
  const begunAt = performance.now();
  await fillJobs(databaseUrl, options);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(PAUSE_WHISPER);
  await client.end();
  const seconds = ((performance.now() - begunAt) / 1000).toFixed(0);
  print(`${options.jobs} jobs of ${options.tenants} tenants, filled in ${seconds} s\n`);
}

async function measureQuestions({ url, pids }: WholeSystem, database: pg.Pool): Promise<Timed> {
  const client = new GraphQLClient(url);
  const known = await readKnown(client, database);
  const cpuMs = async () => (await costsOf(pids.server)).cpuMs + (await costsOf(pids.postgres)).cpuMs;
  const ask = { client, known, cpuMs, seconds: options.seconds };
  await timeQuestion(ask, REFERENCE);
  const reference = await timeQuestion(ask, REFERENCE);
  const pattern = new RegExp(options.only ?? '');
  const timed: Timed[] = [];
  const others = await percentOfOthers([pids.server, pids.postgres], async () => {
    for (const question of QUESTIONS.filter(({ name }) => pattern.test(name))) {
      timed.push(await timeQuestion(ask, question));
    }
  });
  printTimesOf('Reads by GraphQL over HTTP, one after another', reference, timed);
  print(`  (other programs took ${others.toFixed(0)} % of the machine's CPU meanwhile)\n`);
  return reference;
}

async function readKnown(client: GraphQLClient, database: pg.Pool): Promise<Known> {
  const read = async (statement: string): Promise<string[]> =>
    (await database.query<{ id: string }>(statement)).rows.map(({ id }) => id);
  const deepCursors: string[] = [];
  for (let days = 10; days < 20; days += 1) {
    const before = new Date(Date.now() - days * 86_400_000).toISOString();
    const { jobs } = await client.request<{ jobs: { edges: { cursor: string }[] } }>(DEEP_CURSOR, { before });
    deepCursors.push(...jobs.edges.map(({ cursor }) => cursor));
  }
  const [rareWorker] = await read(KNOWN_STATEMENTS.rareWorker);
  if (rareWorker === undefined) throw new Error('no job has a worker');
  return {
    ids: await read(KNOWN_STATEMENTS.ids),
    queuedIds: await read(KNOWN_STATEMENTS.queuedIds),
    transcribedIds: await read(KNOWN_STATEMENTS.transcribedIds),
    workers: await read(KNOWN_STATEMENTS.workers),
    ...{ rareWorker, deepCursors },
  };
}

async function measureSubmits({ url }: WholeSystem, reference: Timed): Promise<void> {
  const client = new ApiClient(url, { connections: SUBMIT_CONNECTIONS });
  const oneByOne: number[] = [];
  for (let count = 0; count < SUBMITS; count += 1) oneByOne.push(await timed(() => client.submit()));
  const atOnce: number[] = [];
  const begunAt = performance.now();
  await Promise.all(
    Array.from({ length: SUBMIT_CONNECTIONS }, async () => {
      for (let count = 0; count < SUBMITS / 5; count += 1) atOnce.push(await timed(() => client.submit()));
    }),
  );
  const perSecond = atOnce.length / ((performance.now() - begunAt) / 1000);
  await client.close();
  printTimesOf('Submits', reference, [
    { name: 'one after another', valuesMs: oneByOne },
    { name: `${SUBMIT_CONNECTIONS} at once, ${perSecond.toFixed(0)}/s`, valuesMs: atOnce },
  ]);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begunAt = performance.now();
  await work();
  return performance.now() - begunAt;
}

async function measureIdle({ pids }: WholeSystem, database: pg.Pool): Promise<void> {
  const costs = async () => ({
    server: await costsOf(pids.server),
    postgres: await costsOf(pids.postgres),
    broker: await costsOf(pids.broker),
    worker: await costsOf(pids.worker),
  });
  const before = await costs();
  const { counts } = await countingStatements(database, () => delay(options.idle * 1000));
  const after = await costs();
  print(`${options.idle} s in which nothing happens, with one idle worker of whisper and none of deepgram`);
  const rows = (Object.keys(after) as (keyof typeof after)[]).map((name) => [
    name,
    ((after[name].cpuMs - before[name].cpuMs) / 1000).toFixed(2),
    String(after[name].calls - before[name].calls),
  ]);
  printTable(['', 'CPU s', 'reads and writes'], rows);
  print(`  ${counts.statements} statements, ${counts.commits} commits; by time:`);
  const kinds = counts.kinds.toSorted((a, b) => b.totalMs - a.totalMs).slice(0, 8);
  printTable(
    ['calls', 'ms each', ''],
    kinds.map(({ calls, totalMs, text }) => [
      String(calls),
      (totalMs / calls).toFixed(2),
      text.replaceAll(/\s+/g, ' ').slice(0, 100),
    ]),
    2,
  );
  print('');
}
