import { once } from 'node:events';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import WebSocket from 'ws';
import { createLogger } from '../../src/observability/logger.ts';
import { migrate } from '../../src/storage/migrate.ts';
import { type FaultRig, startFaultRig, textsOf } from '../support/fault-rig.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startServerProcess, type TestServer } from '../support/processes.ts';
import { TransportDialogue } from '../support/transport-dialogue.ts';
import { endWorker, eventually } from '../support/worker-rig.ts';

/** Servers die, hang, stop, or find a database with another schema. */
let rig: FaultRig;
beforeAll(async () => {
  rig = await startFaultRig();
});
afterAll(() => rig?.stop());

const log = createLogger('test', 'silent');
/** The documented limit is 5 s; a machine that runs other tests too gets more. */
const TAKEOVER_MS = 10_000;

async function leaderId({ query }: FaultRig): Promise<string | null> {
  const [row] = await query<{ id: string }>(
    `SELECT l.server_id AS id FROM leader l
       JOIN pg_locks k ON k.pid = l.backend_pid AND k.locktype = 'advisory' AND k.granted`,
  );
  return row?.id ?? null;
}

test.each(['SIGKILL', 'SIGSTOP'] as const)(
  'another server takes over within seconds after a %s of the leader, and the running job continues',
  async (signal) => {
    const script = `leaderless/40/1000/100`;
    const own = await startFaultRig({ servers: 2 });
    try {
      await own.spawnWorker();
      await eventually(async () => (await leaderId(own)) !== null, 'one server leads');
      const former = await leaderId(own);
      const leads = (server: TestServer) => server.output().includes(`"serverId":"${former}"`);
      const leader = own.servers.find(leads);
      const other = own.servers.find((server) => !leads(server));
      if (leader === undefined || other === undefined) throw new Error('one server leads, the other waits');
      const { jobs } = own.clientOf(other);
      const id = await jobs.accepted({ audio: { url: `https://script.test/${script}` } });
      await own.reaches(id, 3);
      leader.signal(signal);
      await eventually(
        async () => ![null, former].includes(await leaderId(own)),
        'the other server leads',
        TAKEOVER_MS,
      );
      const next = await jobs.accepted({ audio: { url: 'https://script.test/next/3/1000/10' } });
      const { transcript } = await jobs.finished(id);

      expect(transcript?.segments.nodes.map(({ text }) => text)).toEqual(textsOf(script));
      expect((await own.eventsOf(id)).filter((event) => event.type === 'started')).toHaveLength(1);
      if (signal === 'SIGSTOP') leader.signal('SIGCONT');
      const answering = signal === 'SIGSTOP' ? leader : other;
      expect((await own.clientOf(answering).jobs.finished(next)).status).toBe('COMPLETED');
    } finally {
      await own.stop();
    }
  },
);

test('a job exists once its submit was answered, and only once however often the call is repeated', async () => {
  const server = await rig.startServer();
  const input = { audio: { url: 'https://script.test/kept/3/1000/10' }, idempotencyKey: 'answered-once' };
  const { job } = await rig.clientOf(server).jobs.submit(input);
  await server.kill();
  const again = await rig.clientOf(await rig.startServer()).jobs.submit(input);

  expect(again).toMatchObject({ replayed: true, job: { id: job?.id } });
});

test('calls with one key that are cut off by the death of their server create one job', async () => {
  const doomed = await rig.startServer();
  const idempotencyKey = 'cut-off-calls';
  const input = { audio: { url: 'https://script.test/cutoff/3/1000/10' }, idempotencyKey };
  const calls = Array.from({ length: 8 }, () => rig.clientOf(doomed).jobs.submit(input));
  const cut = Promise.allSettled(calls);
  await Promise.any(calls);
  await doomed.kill();
  await cut;
  const other = rig.clientOf(await rig.startServer()).jobs;
  const first = await other.submit(input);
  const second = await other.submit(input);

  expect(second.job?.id).toBe(first.job?.id);
  const rows = await rig.query(`SELECT id FROM jobs WHERE source_url LIKE '%/cutoff/%'`);
  expect(rows).toEqual([{ id: first.job?.id }]);
});

test('subscribers of a server that stops are asked to reconnect, and lose nothing on another server', async () => {
  const script = 'moved/30/1000/60';
  const worker = await rig.spawnWorker();
  const leaving = await rig.startServer();
  const id = await rig.submit(script);
  const dialogue = await TransportDialogue.open(`${leaving.url.replace('http', 'ws')}/graphql`);
  const closed = once(dialogue.socket, 'close');
  const query = `subscription Segments($id: ID!) { jobSegments(id: $id) { cursor segments { text } } }`;
  dialogue.subscribe('1', query, { id });
  const { payload } = await dialogue.hear('next', '1');
  const seen = (payload as { data: { jobSegments: { cursor: string; segments: { text: string }[] } } }).data
    .jobSegments;
  const texts = seen.segments.map(({ text }) => text);
  const exit = leaving.stop();

  expect((await closed)[0]).toBe(1012);
  expect(await exit).toBe(0);
  expect(dialogue.socket.readyState).toBe(WebSocket.CLOSED);
  const other = rig.clientOf(await rig.startServer()).jobs;
  for await (const event of other.segments(id, { after: seen.cursor })) {
    texts.push(...event.segments.map(({ text }) => text));
  }
  expect(texts).toEqual(textsOf(script));
  await endWorker(worker);
});

test.each([
  [
    'that a newer version has used',
    `INSERT INTO migrations (timestamp, name) VALUES (9, 'Tomorrow9')`,
    'Tomorrow9',
  ],
  ['that lacks a migration', 'DELETE FROM migrations', 'npm run migrate'],
])('a server refuses a database %s, with a remedy', async (_case, change, words) => {
  const database = await createTestDatabase();
  try {
    await queryAt(database.url, change);
    const env = { DATABASE_URL: database.url, NATS_URL: rig.nats.url, DATA_DIR: '.data' };
    const refusal = startServerProcess(env);
    await expect(refusal).rejects.toThrow('code 2');
    await expect(refusal).rejects.toThrow(words);
  } finally {
    await database.drop();
  }
});

test('concurrent migrations wait for each other', async () => {
  const database = await createTestDatabase();
  try {
    await queryAt(database.url, 'DROP SCHEMA public CASCADE; CREATE SCHEMA public');
    await Promise.all([1, 2, 3].map(() => migrate(database.url, log)));
    const server = await startServerProcess({
      ...{ DATABASE_URL: database.url, NATS_URL: rig.nats.url, DATA_DIR: '.data' },
    });
    expect(await server.stop()).toBe(0);
  } finally {
    await database.drop();
  }
});

async function queryAt(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
