import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LocalService } from '../../src/local/local-service.ts';
import { startPostgres } from '../../src/local/postgres.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { migrate } from '../../src/storage/migrate.ts';
import { type FaultRig, startFaultRig, textsOf } from '../support/fault-rig.ts';
import { eventually } from '../support/worker-rig.ts';

/** Postgres is down, or is restored from a backup. */
const log = createLogger('test', 'silent');
let directory: string;
let postgres: LocalService;
let rig: FaultRig;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'transcription-postgres-'));
  postgres = await startPostgres({ dataDirectory: directory, durable: true, log });
  await migrate(postgres.url, log);
  rig = await startFaultRig({ databaseUrl: postgres.url });
  await rig.spawnWorker();
});
afterAll(async () => {
  await rig?.stop();
  await postgres?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function restartPostgres(): Promise<void> {
  postgres = await startPostgres({ dataDirectory: directory, durable: true, log, port: postgres.port });
}

const SUBMIT = `mutation ($input: SubmitJobInput!) {
  submitJob(input: $input) { ... on SubmitJobPayload { job { id } } } }`;
const JOB = 'query ($id: ID!) { job(id: $id) { status } }';

test('while Postgres is down, calls fail fast and may be retried; a run continues, and its events are applied later', async () => {
  const script = 'unheard/30/1000/80';
  const id = await rig.submit(script);
  await rig.reaches(id, 4);
  await postgres.kill();
  const input = { audio: { url: 'https://script.test/later/3/1000/10' }, idempotencyKey: 'while-it-is-down' };
  for (const [query, variables] of [
    [SUBMIT, { input }],
    [JOB, { id }],
  ] as const) {
    const answer = await rig.client.post(query, variables);
    expect(answer.status).toBe(503);
    expect(answer.errors[0]?.extensions).toMatchObject({ code: 'SERVICE_UNAVAILABLE', retryable: true });
  }
  await eventually(async () => (await rig.eventsOf(id)).at(-1)?.type === 'completed', 'the run ends');
  await restartPostgres();

  await eventually(async () => (await rig.client.post(JOB, { id })).errors.length === 0, 'it answers again');
  expect(await rig.completedTexts(id)).toEqual(textsOf(script));
  const later = await rig.jobs.accepted(input);
  expect((await rig.jobs.finished(later)).status).toBe('COMPLETED');
});

test('a restored backup of the database catches up from NATS, without a second run', async () => {
  const script = 'restored/20/1000/40';
  const id = await rig.submit(script);
  await rig.reaches(id, 2);
  // CREATE DATABASE … TEMPLATE needs the database without connections. The job runs on meanwhile.
  await rig.servers[0]?.stop();
  await asAdministrator('CREATE DATABASE backup TEMPLATE transcription');
  const between = await rig.startServer();
  const live = rig.clientOf(between).jobs;
  expect((await live.finished(id)).status).toBe('COMPLETED');
  await between.stop();
  const restored = new URL(rig.databaseUrl);
  restored.pathname = '/backup';
  const after = await rig.startServer({ DATABASE_URL: restored.href });
  const job = await rig.clientOf(after).jobs.finished(id);

  expect(job.status).toBe('COMPLETED');
  expect(job.transcript?.segments.nodes.map(({ text }) => text)).toEqual(textsOf(script));
  expect((await rig.eventsOf(id)).filter((event) => event.type === 'started')).toHaveLength(1);
  await after.stop();
});

async function asAdministrator(sql: string): Promise<void> {
  const url = new URL(rig.databaseUrl);
  url.pathname = '/postgres';
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
