import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AdmittedJob, Broker } from '../../../src/app/ports.ts';
import { Reconciler } from '../../../src/background/reconciler.ts';
import { createJobSchedule } from '../../../src/storage/job-schedule.ts';
import { eventually } from '../../support/edge.ts';
import { openTestStorage, type TestStorage } from '../../support/storage.ts';

const LOST_ORDER = 9999;
let storage: TestStorage;
beforeAll(async () => {
  storage = await openTestStorage();
});
afterAll(() => storage.close());

it('finds the one order that is gone behind a thousand that wait', async () => {
  await storage.database.query(
    `INSERT INTO jobs (id, tenant_id, status, queue, priority, engines, source_url, model, timestamps, diarize,
       translate_to_english, vocabulary, submitted_at, queued_at, admitted_at, order_sequence, max_attempts, updated_at)
     SELECT 'job_' || lpad(n::text, 32, '0'), 'ten_default', 'QUEUED', 'whisper', 1, '{WHISPER}', 'https://e.com/a',
       'default', 'SEGMENT', false, false, '{}', now(), now(), now() - interval '1 hour' + n * interval '1 second',
       CASE WHEN n = 1001 THEN ${LOST_ORDER} ELSE n END, 3, now()
       FROM generate_series(1, 1001) n`,
  );
  const published: AdmittedJob[] = [];
  const broker = {
    orderExists: async (sequence: number) => sequence !== LOST_ORDER,
    attemptToOrder: async (_id: string, rows: { readonly nextAttempt: number }) => rows.nextAttempt,
    publishOrder: async (job: AdmittedJob) => ({ sequence: LOST_ORDER + published.push(job) }),
  } as unknown as Broker;
  const reconciler = new Reconciler({
    ...{ store: storage.store, schedule: createJobSchedule(storage.database), broker },
    environment: { now: () => new Date(), random: () => 0, uuid: () => '' },
    brokerReady: () => true,
    retry: { baseDelayMs: 1, maxDelayMs: 1, maxLostAttempts: 3 },
    times: { intervalMs: 1000, silentMs: 1000, lostMs: 60_000 },
    lastHeardAt: () => null,
    findOrphans: async () => [],
    log: pino({ level: 'silent' }),
  });
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
