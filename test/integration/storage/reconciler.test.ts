import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { AdmittedJob } from '../../../src/domain/admitted-job.ts';
import { Reconciler } from '../../../src/leader/reconciler.ts';
import type { Broker } from '../../../src/messaging/broker.ts';
import { createJobChecks } from '../../../src/storage/job-checks.ts';
import { createJobSchedule } from '../../../src/storage/job-schedule.ts';
import { POLICY } from '../../support/builders.ts';
import { eventually } from '../../support/edge.ts';
import { fakeBroker } from '../../support/fake-broker.ts';
import { openTestStorage, type TestStorage } from '../../support/storage.ts';

const LOST_ORDER = 9999;
let storage: TestStorage;
beforeAll(async () => {
  storage = await openTestStorage();
});
afterAll(() => storage.close());
afterEach(() => storage.database.query('DELETE FROM jobs'));

function aReconciler(broker: Broker): Reconciler {
  return new Reconciler({
    ...{ store: storage.store, database: storage.database, broker },
    schedule: createJobSchedule(storage.database),
    checks: createJobChecks(storage.database),
    environment: { now: () => new Date(), random: () => 0, uuid: () => '' },
    brokerReady: () => true,
    lifecycle: POLICY,
    times: { intervalMs: 1000, silentMs: 1000, lostMs: 60_000 },
    lastSeenAt: () => null,
    findOrphans: async () => [],
    log: pino({ level: 'silent' }),
  });
}

it('finds the one order that is gone behind a thousand that wait', async () => {
  await storage.database.query(
    `INSERT INTO jobs (id, tenant_id, status, queue, priority, engines, source_url, model, timestamps, diarize,
       translate_to_english, vocabulary, submitted_at, queued_at, admitted_at, task_sequence, max_attempts, updated_at)
     SELECT 'job_' || lpad(n::text, 32, '0'), 'ten_default', 'QUEUED', 'whisper', 1, '{WHISPER}', 'https://e.com/a',
       'default', 'SEGMENT', false, false, '{}', now(), now(), now() - interval '1 hour' + n * interval '1 second',
       CASE WHEN n = 1001 THEN ${LOST_ORDER} ELSE n END, 3, now()
       FROM generate_series(1, 1001) n`,
  );
  const published: AdmittedJob[] = [];
  const broker = fakeBroker({
    taskExists: async (sequence: number) => sequence !== LOST_ORDER,
    attemptForTask: async (_id: string, rows: { readonly nextAttempt: number }) => rows.nextAttempt,
    publishTask: async (job: AdmittedJob) => ({ sequence: LOST_ORDER + published.push(job) }),
  });
  const reconciler = aReconciler(broker);
  const stop = new AbortController();
  const running = reconciler.run(stop.signal);

  await eventually(
    () => published.length,
    (count) => count > 0,
  );
  stop.abort();
  await running;

  expect(published.map(({ id }) => id)).toEqual([`job_${'1001'.padStart(32, '0')}`]);
});

it('ends a waiting job that is late behind a hundred that workers have taken', async () => {
  const deadline = new Date(Date.now() - 1000);
  for (let n = 0; n < 100; n += 1) await storage.insert({ deadline });
  await storage.database.query('UPDATE jobs SET admitted_at = now()');
  const late = await storage.insert({ deadline });
  const stop = new AbortController();
  const broker = fakeBroker({ endRun: async () => ({ ended: false }) });
  const running = aReconciler(broker).run(stop.signal);

  const status = () => storage.database.query('SELECT status FROM jobs WHERE id = $1', [late]);
  await eventually(status, ([job]) => job.status === 'FAILED');
  stop.abort();
  await running;
});

it('presses a cancel, with its reason, behind a hundred that workers are slow to follow', async () => {
  for (let n = 0; n < 101; n += 1) await storage.insert();
  await storage.database.query(
    `UPDATE jobs SET status = 'PROCESSING', attempt = 1, run_id = 'i', admitted_at = now(),
       cancel_requested_at = now(), cancel_reason = 'wrong file'`,
  );
  const pressed = new Map<string, string | null>();
  const requestCancel = async (jobId: string, _at: Date, reason: string | null) =>
    void pressed.set(jobId, reason);
  const stop = new AbortController();
  const running = aReconciler(fakeBroker({ requestCancel })).run(stop.signal);

  await eventually(
    () => pressed.size,
    (size) => size === 101,
  );
  expect([...new Set(pressed.values())]).toEqual(['wrong file']);
  stop.abort();
  await running;
});
