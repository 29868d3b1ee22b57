import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { UnavailableError } from '../../../src/domain/errors.ts';
import type { LocalService } from '../../../src/local/local-service.ts';
import { startPostgres } from '../../../src/local/postgres.ts';
import { answersWithin, type Database, openDatabase } from '../../../src/storage/database.ts';
import { JobListener } from '../../../src/storage/job-listener.ts';
import { createJobReader } from '../../../src/storage/job-reader.ts';
import { createJobStore } from '../../../src/storage/job-store.ts';
import { Leadership } from '../../../src/storage/leadership.ts';
import { migrate } from '../../../src/storage/migrate.ts';
import { aNewJob } from '../../support/builders.ts';
import { eventually } from '../../support/edge.ts';
import { TENANT } from '../../support/storage.ts';

const ORDER = { field: 'SUBMITTED_AT', direction: 'DESC' } as const;
const log = pino({ level: 'silent' });
let dataDirectory: string;
let postgres: LocalService;
let database: Database;

beforeAll(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), 'silent-database-'));
  postgres = await startPostgres({ dataDirectory, durable: false, log });
  await migrate(postgres.url, log);
  database = await openDatabase({ url: postgres.url, poolSize: 3, log, statementTimeoutMs: 1500 });
});
afterAll(async () => {
  await signalAll('SIGCONT');
  await database.destroy();
  await postgres.stop();
  await rm(dataDirectory, { recursive: true, force: true });
});

/** The server and its children, one for each session. */
async function signalAll(signal: NodeJS.Signals): Promise<void> {
  process.kill(postgres.pid, signal);
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    if (status.includes(`\nPPid:\t${postgres.pid}\n`)) process.kill(Number(pid), signal);
  }
}

it('a database that hangs makes calls fail as unavailable and ends the leadership, until it responds again', async () => {
  const store = createJobStore(database);
  const reader = createJobReader(database);
  const led: AbortSignal[] = [];
  const leadership = new Leadership({
    ...{ url: postgres.url, serverId: 'srv_1', log },
    lead: (signal) =>
      new Promise((resolve) => {
        led.push(signal);
        signal.addEventListener('abort', () => resolve());
      }),
  });
  const listened: number[] = [];
  const deaf: string[] = [];
  const listener = new JobListener(
    postgres.url,
    {
      ...{ onJobChanged: () => undefined, onJobsWaiting: () => undefined, onJobsTimed: () => undefined },
      onListening: () => listened.push(Date.now()),
    },
    pino({ level: 'warn' }, { write: (line) => void deaf.push(line) }),
  );
  await listener.start();
  leadership.start();
  await eventually(
    () => led.length,
    (count) => count === 1,
  );
  expect(await answersWithin(database, 5000)).toBe(true);
  await signalAll('SIGSTOP');
  // Less than the time after which calls fail.
  expect(await answersWithin(database, 50)).toBe(false);

  const calls = [
    store.insert({ job: aNewJob(), key: null }),
    reader.list(TENANT, { filter: {}, orderBy: ORDER, first: 1 }),
  ];
  const inTransaction = store.transaction((jobs) => jobs.lock(['job_1']));
  await Promise.all([...calls, inTransaction].map((call) => expect(call).rejects.toThrow(UnavailableError)));
  await eventually(
    () => led[0]?.aborted,
    (aborted) => aborted === true,
  );
  expect(leadership.isLeader).toBe(false);
  await eventually(
    () => deaf.length,
    (count) => count > 0,
    20_000,
  );
  await signalAll('SIGCONT');

  const job = aNewJob();
  await eventually(
    () =>
      store.insert({ job, key: null }).then(
        () => true,
        () => false,
      ),
    (stored) => stored,
  );
  expect((await reader.find(TENANT, [job.id])).has(job.id)).toBe(true);
  await eventually(
    () => led.length,
    (count) => count === 2,
  );
  await eventually(
    () => listened.length,
    (count) => count === 2,
  );
  await leadership.stop();
  await listener.close();
});
