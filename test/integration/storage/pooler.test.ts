import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createLogger } from '../../../src/observability/logger.ts';
import { openDatabase, PoolerError } from '../../../src/storage/database.ts';
import { type FaultRig, startFaultRig, textsOf } from '../../support/fault-rig.ts';
import { type PgBouncer, startPgBouncer } from '../../support/pgbouncer.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { startServerProcess, type TestServer } from '../../support/processes.ts';

const log = createLogger('test', 'silent');
/** What the service asks of a connection at its start. */
const SETTINGS = ['statement_timeout', 'idle_in_transaction_session_timeout', 'options'];

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function pooledDatabase(
  ignoreStartupParameters: readonly string[],
): Promise<{ readonly database: TestDatabase; readonly pooler: PgBouncer }> {
  const database = await createTestDatabase();
  stops.push(() => database.drop());
  const pooler = await startPgBouncer(database.url, { ignoreStartupParameters });
  stops.push(() => pooler.stop());
  return { database, pooler };
}

describe('a pooler in transaction mode that nothing says is there', () => {
  test.each([
    ['refuses the session settings', []],
    ['drops the session settings', SETTINGS],
  ])('is recognized when it %s', async (_, ignored) => {
    const { pooler } = await pooledDatabase(ignored);

    const opening = openDatabase({ url: pooler.url, poolSize: 2, log, statementTimeoutMs: 15_000 });

    await expect(opening).rejects.toThrow(PoolerError);
  });

  test('ends the start with one sentence and exit code 2', async () => {
    const { pooler } = await pooledDatabase([]);

    const starting = startServerProcess({ DATABASE_URL: pooler.url, NATS_URL: 'nats://127.0.0.1:9' });

    await expect(starting).rejects.toThrow(/code 2[\s\S]*Set DATABASE_DIRECT_URL to the address of Postgres/);
  });
});

describe('a pooler in transaction mode, with DATABASE_DIRECT_URL', () => {
  let pooler: PgBouncer;
  let rig: FaultRig;
  beforeAll(async () => {
    rig = await startFaultRig({
      servers: 2,
      serverEnv: async (databaseUrl) => {
        pooler = await startPgBouncer(databaseUrl, { ignoreStartupParameters: [] });
        return { DATABASE_URL: pooler.url, DATABASE_DIRECT_URL: databaseUrl };
      },
    });
  });
  afterAll(async () => {
    await rig?.stop();
    await pooler?.stop();
  });

  test('serves two servers, whose watchers see every end, also after the leader is killed', async () => {
    const scripts = Array.from({ length: 20 }, (_, number) => `pooled-${number}/3/1000/20`);
    await rig.spawnWorker();
    const complete = async (script: string): Promise<void> => {
      expect(await rig.completedTexts(await rig.submit(script))).toEqual(textsOf(script));
    };

    await Promise.all(scripts.slice(0, 10).map(complete));
    const [row] = await rig.query<{ server_id: string }>('SELECT server_id FROM leader');
    const isLeader = (server: TestServer): boolean => server.output().includes(row?.server_id ?? 'no leader');
    const locks = await rig.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted");
    expect(locks).toHaveLength(1);
    const [leader, other] = [rig.servers.find(isLeader), rig.servers.find((server) => !isLeader(server))];
    const watching = rig.clientOf(other as TestServer).jobs;
    await leader?.kill();
    const ids = await Promise.all(
      scripts
        .slice(10)
        .map((script) => watching.accepted({ audio: { url: `https://script.test/${script}` } })),
    );
    const jobs = await Promise.all(ids.map((id) => watching.finished(id)));

    expect(jobs.map(({ status }) => status)).toEqual(ids.map(() => 'COMPLETED'));
  });
});
