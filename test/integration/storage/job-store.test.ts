import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ValidationError } from '../../../src/domain/errors.ts';
import type { Job } from '../../../src/domain/job.ts';
import { advance } from '../../../src/domain/lifecycle.ts';
import { deleteOldKeys } from '../../../src/storage/idempotency-keys.ts';
import { createJobSchedule } from '../../../src/storage/job-schedule.ts';
import type { JobTransaction } from '../../../src/storage/job-transaction.ts';
import { OffsetConflictError } from '../../../src/storage/projector-offset.ts';
import { UploadRepository } from '../../../src/uploads/upload-repository.ts';
import { AT_NOON, aNewJob, later, NOON, POLICY } from '../../support/builders.ts';
import { DAY_MS, openTestStorage, TENANT, type TestStorage } from '../../support/storage.ts';

let storage: TestStorage;
beforeAll(async () => {
  storage = await openTestStorage();
});
afterAll(() => storage.close());

const claim = (change: {
  readonly key: string;
  readonly jobId: string;
  readonly inputHash?: string;
  readonly now?: Date;
}) =>
  storage.store.transaction((jobs) =>
    jobs.claimKey({
      tenantId: TENANT,
      operation: 'submitJob',
      inputHash: 'hash',
      now: new Date(),
      ...change,
    }),
  );

describe('an idempotency key', () => {
  it('belongs to the first call that claims it', async () => {
    const jobId = await storage.insert();

    expect(await claim({ key: 'first-come', jobId })).toEqual({ claimed: true });
    expect(await claim({ key: 'first-come', jobId: 'job_other' })).toMatchObject({
      claimed: false,
      jobId,
      sameInput: true,
    });
    expect(await claim({ key: 'first-come', jobId: 'job_other', inputHash: 'another' })).toMatchObject({
      sameInput: false,
    });
  });

  it('makes a concurrent claim wait for the first transaction', async () => {
    const job = aNewJob();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let claimed = () => {};
    const first = new Promise<void>((resolve) => {
      claimed = resolve;
    });
    const winner = storage.store.transaction(async (jobs) => {
      const result = await jobs.claimKey({
        ...{ tenantId: TENANT, operation: 'submitJob', key: 'concurrent', inputHash: 'hash', jobId: job.id },
        now: new Date(),
      });
      await jobs.insert(job);
      claimed();
      await held;
      return result;
    });
    await first;
    const loser = claim({ key: 'concurrent', jobId: 'job_late' });
    release();

    expect(await winner).toEqual({ claimed: true });
    expect(await loser).toMatchObject({ claimed: false, jobId: job.id });
  });

  it('may be claimed again after a day, and when its job is deleted', async () => {
    const jobId = await storage.insert();
    await claim({ key: 'yesterday', jobId, now: new Date(Date.now() - DAY_MS - 1000) });
    expect(await claim({ key: 'yesterday', jobId })).toEqual({ claimed: true });

    const gone = await storage.insert();
    await claim({ key: 'of-a-deleted', jobId: gone });
    await storage.store.transaction((jobs) => jobs.delete([gone]));
    expect(await claim({ key: 'of-a-deleted', jobId })).toEqual({ claimed: true });
  });

  it('is deleted after a day', async () => {
    const jobId = await storage.insert();
    const now = new Date();
    await claim({ key: 'old-enough', jobId, now: new Date(now.getTime() - DAY_MS - 1000) });
    await claim({ key: 'still-good', jobId, now: new Date(now.getTime() - DAY_MS + 60_000) });
    await deleteOldKeys(storage.database, now, 100);

    const left = await storage.database.query(
      `SELECT key FROM idempotency_keys WHERE key IN ('old-enough', 'still-good')`,
    );
    expect(left).toEqual([{ key: 'still-good' }]);
  });
});

describe('jobs that the schedule moves', () => {
  it('are notified with the statement that moves them, for their watchers and for their new queue', async () => {
    const schedule = createJobSchedule(storage.database);
    const now = new Date();
    const due = await storage.insert({ scheduledFor: new Date(now.getTime() + 60_000) });
    const moving = await storage.insert({ engines: ['DEEPGRAM', 'WHISPER'] });
    const listener = new pg.Client({ connectionString: storage.url });
    await listener.connect();
    const heard: string[] = [];
    listener.on('notification', ({ channel, payload }) => heard.push(`${channel} ${payload}`));
    await listener.query('LISTEN job_changed; LISTEN jobs_waiting');

    expect(await schedule.wakeDue(new Date(now.getTime() + 61_000))).toEqual({ woken: 1, nextDueAt: null });
    expect(await schedule.failOver('deepgram', now)).toEqual([]);
    await listener.query('SELECT 1');
    await listener.end();

    expect(heard.toSorted()).toEqual(
      [`job_changed ${due}`, `job_changed ${moving}`, 'jobs_waiting whisper'].toSorted(),
    );
  });
});

describe('the recording of a job', () => {
  const sweep = async (now: Date) => {
    const uploads = new UploadRepository(storage.database);
    return uploads.deleteExpired(now, now, 100);
  };

  it('is kept past its time while a job needs it, and deleted with the last one', async () => {
    const uploadId = 'upl_00000000000000000000000000000001';
    await storage.database.query(
      `INSERT INTO uploads (id, tenant_id, filename, content_type, size_bytes, status, created_at, expires_at)
       VALUES ($1, $2, 'talk.mp3', 'audio/mpeg', 1, 'STORED', now(), now() + interval '1 hour')`,
      [uploadId, TENANT],
    );
    const first = await storage.insert({ source: { uploadId } });
    const last = await storage.insert({ source: { uploadId } });
    const soon = new Date(Date.now() + 60_000);

    expect(await sweep(new Date(Date.now() + DAY_MS))).toEqual([]);
    await storage.store.transaction((jobs) => jobs.delete([first]));
    expect(await sweep(soon)).toEqual([]);
    await storage.store.transaction((jobs) => jobs.delete([last]));
    expect(await sweep(soon)).toEqual([uploadId]);
  });
});

function canceled(job: Job): Job {
  const moved = advance(job, { type: 'cancelRequested' }, AT_NOON);
  if (!moved.ok) throw new Error(`refused: ${moved.refusal}`);
  return moved.job;
}

async function cancel(jobs: JobTransaction, id: string): Promise<void> {
  const stored = (await jobs.lock([id])).get(id);
  if (stored === undefined) throw new Error('not there');
  await jobs.apply([{ job: canceled(stored.job), at: NOON }]);
}

describe('a job', () => {
  it('is refused the external id of another job of the tenant', async () => {
    await storage.insert({ externalId: 'mine' });

    await expect(storage.insert({ externalId: 'mine' })).rejects.toThrow(ValidationError);
  });

  it('gets a new revision with each change', async () => {
    const id = await storage.insert();
    await storage.store.transaction(async (jobs) => {
      const stored = (await jobs.lock([id])).get(id);
      if (stored === undefined) throw new Error('not there');
      await jobs.apply([
        { job: stored.job, at: later(-1) },
        { job: canceled(stored.job), at: NOON, cancelReason: 'because' },
      ]);
    });

    const [row] = await storage.database.query(
      'SELECT status, revision, cancel_reason, expires_at FROM jobs WHERE id = $1',
      [id],
    );
    expect(row).toMatchObject({ status: 'CANCELED', revision: 3, cancel_reason: 'because' });
    expect(row.expires_at).toEqual(later(POLICY.retentionMs));
  });

  it('is notified after the commit, and not when the transaction fails', async () => {
    const heard: string[] = [];
    const listener = new pg.Client({ connectionString: storage.url });
    await listener.connect();
    listener.on('notification', ({ payload }) => heard.push(payload ?? ''));
    await listener.query('LISTEN job_changed');

    const [failed, changed] = [await storage.insert(), await storage.insert()];
    const attempt = storage.store.transaction(async (jobs) => {
      await cancel(jobs, failed);
      throw new Error('changed my mind');
    });
    await expect(attempt).rejects.toThrow('changed my mind');
    await storage.store.transaction((jobs) => cancel(jobs, changed));
    await expect.poll(() => heard).toContain(changed);
    await listener.end();

    expect(heard).not.toContain(failed);
  });
});

describe('the projector offset', () => {
  it('is moved by one projector only', async () => {
    const at = (sequence: number) => ({ epoch: 'e1', sequence, messageId: null });
    const move = (from: number | null, to: number) =>
      storage.store.transaction((jobs) => jobs.moveOffset(from === null ? null : at(from), at(to)));

    await move(null, 5);
    await move(5, 9);
    await expect(move(5, 7)).rejects.toThrow(OffsetConflictError);
    await expect(move(null, 1)).rejects.toThrow(OffsetConflictError);
  });
});
