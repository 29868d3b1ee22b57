import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AdmittedJob } from '../../../src/domain/admitted-job.ts';
import { Admission } from '../../../src/leader/admission.ts';
import { type OrphanTask, Reconciler } from '../../../src/leader/reconciler.ts';
import type { Broker } from '../../../src/messaging/broker.ts';
import { createJobChecks } from '../../../src/storage/job-checks.ts';
import { createJobSchedule } from '../../../src/storage/job-schedule.ts';
import { POLICY } from '../../support/builders.ts';
import { eventually } from '../../support/edge.ts';
import { fakeBroker } from '../../support/fake-broker.ts';
import { logLines } from '../../support/log-lines.ts';
import { openTestStorage, type TestStorage } from '../../support/storage.ts';

let storage: TestStorage;
beforeAll(async () => {
  storage = await openTestStorage();
});
afterAll(() => storage.close());
afterEach(() => storage.database.query('DELETE FROM jobs'));

const environment = { now: () => new Date(), random: () => 0, uuid: () => '' };

interface Change {
  readonly lostMs?: number;
  readonly findOrphans?: () => Promise<readonly OrphanTask[]>;
}

function aReconciler(
  broker: Partial<Broker>,
  { lostMs = 60_000, findOrphans = async () => [] }: Change = {},
) {
  const { log, lines } = logLines();
  const reconciler = new Reconciler({
    ...{ store: storage.store, database: storage.database, broker: fakeBroker(broker) },
    schedule: createJobSchedule(storage.database),
    checks: createJobChecks(storage.database),
    ...{ environment, lifecycle: POLICY, findOrphans, log },
    brokerReady: () => true,
    times: { intervalMs: 1000, silentMs: 1000, lostMs },
    lastSeenAt: () => null,
  });
  return { reconciler, lines };
}

/** Runs the reconciler until `probe` gives what is awaited. */
async function runUntil<Value>(
  reconciler: Reconciler,
  probe: () => Value | Promise<Value>,
  isAwaited: (value: Value) => boolean,
): Promise<void> {
  const stop = new AbortController();
  const running = reconciler.run(stop.signal);
  try {
    await eventually(probe, isAwaited);
  } finally {
    stop.abort();
    await running;
  }
}

const RUNNING = `status = 'PROCESSING', attempt = 1, run_id = 'run-a', admitted_at = now() - interval '1 hour'`;
const update = (columns: string, ids?: readonly string[]) =>
  storage.database.query(
    `UPDATE jobs SET ${columns} ${ids === undefined ? '' : 'WHERE id = ANY($1)'}`,
    ids && [ids],
  );

async function insertSome(count: number, job: Parameters<TestStorage['insert']>[0] = {}): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) ids.push(await storage.insert(job));
  return ids;
}

describe('a long list', () => {
  it('does not hide the one task that is missing behind a thousand that wait', async () => {
    const missing = 9999;
    await storage.database.query(
      `INSERT INTO jobs (id, tenant_id, status, queue, priority, engines, source_url, model, timestamps, diarize,
         translate_to_english, vocabulary, submitted_at, queued_at, admitted_at, task_sequence, max_attempts, updated_at)
       SELECT 'job_' || lpad(n::text, 32, '0'), 'ten_default', 'QUEUED', 'whisper', 1, '{WHISPER}', 'https://e.com/a',
         'default', 'SEGMENT', false, false, '{}', now(), now(), now() - interval '1 hour' + n * interval '1 second',
         CASE WHEN n = 1001 THEN ${missing} ELSE n END, 3, now()
         FROM generate_series(1, 1001) n`,
    );
    const published: AdmittedJob[] = [];
    const { reconciler } = aReconciler({
      taskExists: async (sequence) => sequence !== missing,
      attemptForTask: async (_id, rows) => rows.nextAttempt,
      publishTask: async (job) => ({ sequence: missing + published.push(job) }),
    });
    await runUntil(
      reconciler,
      () => published.length,
      (count) => count > 0,
    );

    expect(published.map(({ id }) => id)).toEqual([`job_${'1001'.padStart(32, '0')}`]);
  });

  it('does not hide a waiting job past its deadline behind a hundred that workers have', async () => {
    const deadline = new Date(Date.now() - 1000);
    await insertSome(100, { deadline });
    await update('admitted_at = now()');
    const late = await storage.insert({ deadline });
    const { reconciler } = aReconciler({ endRun: async () => ({ ended: false }) });

    const status = () => storage.database.query('SELECT status FROM jobs WHERE id = $1', [late]);
    await runUntil(reconciler, status, ([job]) => job.status === 'FAILED');
  });

  it('does not hide a cancel behind a hundred that workers are slow to follow', async () => {
    await insertSome(101);
    await update(`${RUNNING}, cancel_requested_at = now(), cancel_reason = 'wrong file'`);
    const sent = new Map<string, string | null>();
    const { reconciler } = aReconciler({
      requestCancel: async (jobId, _at, reason) => void sent.set(jobId, reason),
    });
    await runUntil(
      reconciler,
      () => sent.size,
      (size) => size === 101,
    );

    expect([...new Set(sent.values())]).toEqual(['wrong file']);
  });
});

/** The broker refuses what is about the first job; the other two must go on. */
describe('an error of one job', () => {
  const visited = new Set<string>();
  afterEach(() => visited.clear());
  const butNot =
    (bad: string) =>
    (id: string): void => {
      visited.add(id);
      if (id === bad) throw new Error('its chain cannot be read');
    };

  async function expectOthers(
    reconciler: ReturnType<typeof aReconciler>,
    ids: readonly string[],
    msg: string,
  ) {
    await runUntil(
      reconciler.reconciler,
      () => [...visited],
      (seen) => ids.every((id) => seen.includes(id)),
    );
    const { lines } = reconciler;
    expect(lines).toContainEqual(expect.objectContaining({ msg, jobId: ids[0] }));
    expect(lines.filter((line) => line.msg.startsWith('background step failed'))).toEqual([]);
  }

  it('does not keep the deadlines of others from being enforced', async () => {
    const ids = await insertSome(3, { deadline: new Date(Date.now() - 1000) });
    await update('admitted_at = now()');
    const check = butNot(ids[0] ?? '');
    const reconciler = aReconciler({
      endRun: async (id) => {
        check(id);
        return { ended: false };
      },
    });

    await expectOthers(reconciler, ids, 'could not end a job past its deadline');
  });

  it('does not keep the cancels of others from their workers', async () => {
    const ids = await insertSome(3);
    await update(`${RUNNING}, cancel_requested_at = now()`);
    const check = butNot(ids[0] ?? '');
    const reconciler = aReconciler({ requestCancel: async (id) => check(id) });

    await expectOthers(reconciler, ids, 'could not pass a cancellation to the broker');
  });

  it('does not keep the lost runs of others from being ended', async () => {
    const ids = await insertSome(3);
    await update(RUNNING);
    const check = butNot(ids[0] ?? '');
    const endRun: Broker['endRun'] = async (id) => {
      check(id);
      return { ended: false };
    };
    const reconciler = aReconciler({ endRun, taskExists: async () => true }, { lostMs: 1000 });

    await expectOthers(reconciler, ids, 'could not end a lost run');
  });

  it('does not keep the missing tasks of others from being published', async () => {
    const ids = await insertSome(3);
    await update(`admitted_at = now() - interval '1 hour'`);
    const check = butNot(ids[0] ?? '');
    const reconciler = aReconciler({
      attemptForTask: async (id) => {
        check(id);
        return null;
      },
    });

    await expectOthers(reconciler, ids, 'could not restore the task of a job');
  });

  it('does not keep the orphan tasks of others from being replaced', async () => {
    const ids = await insertSome(3);
    await update('admitted_at = now()');
    const check = butNot(ids[0] ?? '');
    const orphans = ids.map((jobId, sequence) => ({ sequence, jobId }));
    const reconciler = aReconciler(
      {
        deleteTask: async (sequence) => {
          check(ids[sequence] ?? '');
          return true;
        },
        attemptForTask: async () => null,
      },
      { findOrphans: async () => orphans },
    );

    await expectOthers(reconciler, ids, 'could not replace an orphan task');
  });

  it('does not keep the tasks of others from being published after NATS lost its streams', async () => {
    const ids = await insertSome(3);
    await update('admitted_at = now()');
    const check = butNot(ids[0] ?? '');
    const { reconciler, lines } = aReconciler({
      attemptForTask: async (id) => {
        check(id);
        return null;
      },
    });
    await reconciler.republishAll(new AbortController().signal);

    expect([...visited].toSorted()).toEqual(ids.toSorted());
    expect(lines).toContainEqual(
      expect.objectContaining({ msg: 'could not publish a task again', jobId: ids[0] }),
    );
  });

  it('does not keep the tasks of others from being published when they are admitted', async () => {
    const ids = await insertSome(3);
    const check = butNot(ids[0] ?? '');
    const { log, lines } = logLines();
    const broker: Partial<Broker> = {
      publishTask: async ({ id }) => {
        check(id);
        return { sequence: 1 + ids.indexOf(id) };
      },
    };
    const admission = new Admission({
      ...{ schedule: createJobSchedule(storage.database), broker: fakeBroker(broker), environment, log },
      ...{ brokerReady: () => true, liveSlots: () => 2, isOut: () => false },
    });
    const stop = new AbortController();
    const running = admission.run(stop.signal);
    const recorded = () => storage.database.query('SELECT id FROM jobs WHERE task_sequence > 1 ORDER BY id');
    await eventually(recorded, (rows) => rows.length === 2);
    stop.abort();
    await running;

    expect(lines).toContainEqual(expect.objectContaining({ msg: 'could not publish tasks', jobId: ids[0] }));
    expect(lines.filter((line) => line.msg.startsWith('background step failed'))).toEqual([]);
  });

  it('does not keep the tasks of others from being deleted when jobs move to another engine', async () => {
    const ids = await insertSome(3, { engines: ['DEEPGRAM', 'WHISPER'] });
    await update('admitted_at = now(), task_sequence = 1', ids.slice(0, 1));
    await update('admitted_at = now(), task_sequence = 2', ids.slice(1));
    const deleted: number[] = [];
    const { log, lines } = logLines();
    const broker: Partial<Broker> = {
      deleteTask: async (sequence) => {
        deleted.push(sequence);
        if (sequence === 1) throw new Error('it cannot be deleted');
        return true;
      },
      publishTask: async () => ({ sequence: 9 }),
    };
    const admission = new Admission({
      ...{ schedule: createJobSchedule(storage.database), broker: fakeBroker(broker), environment, log },
      ...{ brokerReady: () => true, liveSlots: () => 2, isOut: (queue) => queue === 'deepgram' },
    });
    const stop = new AbortController();
    const running = admission.run(stop.signal);
    const moved = () => storage.database.query(`SELECT id FROM jobs WHERE task_sequence = 9`);
    await eventually(moved, (rows) => rows.length === 3);
    stop.abort();
    await running;

    expect(deleted.toSorted()).toEqual([1, 2, 2]);
    expect(lines).toContainEqual(expect.objectContaining({ msg: 'could not delete a task', sequence: 1 }));
  });
});
