import { afterAll, beforeAll, expect, it } from 'vitest';
import { createQueueStats, pacesStatement, waitingStatement } from '../../../src/storage/queue-stats.ts';
import { openTestStorage, type TestStorage } from '../../support/storage.ts';

const NOW = new Date('2026-01-01T12:00:00.000Z');
const MINUTE_MS = 60_000;
const ago = (minutes: number) => new Date(NOW.getTime() - minutes * MINUTE_MS);
let storage: TestStorage;

beforeAll(async () => {
  storage = await openTestStorage();
  const waiting = await storage.insert({ submittedAt: ago(30) });
  await change(waiting, `queued_at = $2`, ago(30));
  const admitted = await storage.insert();
  await change(admitted, `queued_at = $2, admitted_at = $2`, ago(20));
  const running = await storage.insert({ submittedAt: ago(5) });
  await change(running, RUNNING, ago(4));
  await storage.insert({ scheduledFor: new Date(Date.now() + 60 * MINUTE_MS) });
  const retrying = await storage.insert();
  await change(
    retrying,
    `status = 'RETRYING', failure = '{}', failure_at = $2, next_attempt_at = $2`,
    ago(0),
  );
  const completed = await storage.insert({ submittedAt: ago(9) });
  await change(completed, `status = 'COMPLETED', started_at = $2, audio_duration_ms = 600000`, ago(8));
  const dead = await storage.insert({ submittedAt: ago(9) });
  await change(dead, `${DEAD}, finished_at = $2, expires_at = $2`, ago(100));
  const elsewhere = await storage.insert({ engines: ['DEEPGRAM'] });
  await change(elsewhere, `${DEAD}, finished_at = $2, expires_at = $2`, ago(1));
});
afterAll(() => storage.close());

const RUNNING = `status = 'PROCESSING', run_id = 'i', attempt = 1, admitted_at = $2, started_at = $2`;
const DEAD = `status = 'FAILED', failure = '{}', failure_at = $2, dead_lettered_at = $2`;

async function change(id: string, columns: string, at: Date): Promise<void> {
  const finished = columns.includes('COMPLETED')
    ? `, finished_at = '${ago(6).toISOString()}', expires_at = now()`
    : '';
  await storage.database.query(`UPDATE jobs SET ${columns}${finished} WHERE id = $1`, [id, at]);
}

it('counts waiting and running jobs, and those that ended in the window, of one queue or all', async () => {
  const stats = createQueueStats(storage.database);

  expect(await stats('whisper', ago(10), NOW)).toEqual({
    ...{ scheduled: 1, queued: 2, processing: 1, retrying: 1, deadLettered: 1, completed: 1, failed: 0 },
    ...{ failureRate: 0, oldestQueuedAt: ago(30), jobsPerMinute: 0.1, audioSecondsPerSecond: 1 },
    ...{ waitMsP50: MINUTE_MS, waitMsP95: MINUTE_MS, runMsP50: 2 * MINUTE_MS, runMsP95: 2 * MINUTE_MS },
  });
  expect(await stats(null, ago(10), NOW)).toMatchObject({
    ...{ queued: 2, deadLettered: 2, completed: 1, failed: 1, failureRate: 0.5 },
  });
});

it('shares one result between concurrent calls', async () => {
  let statements = 0;
  const counting = {
    query: (sql: string, parameters: unknown[]) => {
      statements += 1;
      return storage.database.query(sql, parameters);
    },
  } as unknown as TestStorage['database'];
  const stats = createQueueStats(counting);

  const answers = await Promise.all([1, 2, 3].map(() => stats('whisper', ago(10), NOW)));

  expect(new Set(answers).size).toBe(1);
  expect(statements).toBe(2);
});

it('reads only rows of waiting and running jobs, dead letters and the window', async () => {
  const { database } = storage;
  for (const queue of [null, 'whisper']) {
    const ofQueue = queue === null ? [] : [queue];
    const plans = await database.transaction(async (manager) => {
      // A dozen rows are faster read whole; a million are not.
      await manager.query('SET LOCAL enable_seqscan = off');
      return [
        await manager.query(`EXPLAIN ${waitingStatement(queue)}`, ofQueue),
        await manager.query(`EXPLAIN ${pacesStatement(queue)}`, [ago(10), ...ofQueue]),
      ].map((plan) => JSON.stringify(plan));
    });
    for (const index of ['jobs_scheduled', 'jobs_due', 'jobs_dead', 'jobs_admitted', 'jobs_waiting']) {
      expect(plans[0]).toContain(index);
    }
    expect(plans[1]).toMatch(/jobs_by_finish.*jobs_by_start|jobs_by_start.*jobs_by_finish/);
    expect(plans.join()).not.toContain('Seq Scan on jobs');
  }
});
