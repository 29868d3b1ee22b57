import type { EntityManager } from 'typeorm';
import { NotFoundError } from '../domain/errors.ts';
import type { JobUpdate } from '../domain/job-update.ts';
import type { NewJob } from '../domain/new-job.ts';
import { CHANNELS } from './channels.ts';
import { isRefusedData } from './database.ts';
import { claimKey, type KeyClaim, type UsedKey } from './idempotency-keys.ts';
import { insertJobs } from './insert-jobs.ts';
import { type StoredJob, toStoredJob } from './job-rows.ts';
import { toJobRow } from './job-sql.ts';
import { moveOffset, type ProjectorOffset, type QuarantinedEvent, quarantine } from './projector-offset.ts';
import type { JobRow } from './tables.ts';
import { writeUpdates } from './write-updates.ts';

/** The jobs in one database transaction. Its notifications are sent at its end, and delivered after the commit. */
export class JobTransaction {
  readonly #manager: EntityManager;
  /** Locked rows as they are in this transaction, so that an update needs no second read. */
  readonly #rows = new Map<string, JobRow>();
  /** Pairs of channel and payload. */
  readonly #news: (readonly [channel: string, payload: string])[] = [];

  constructor(manager: EntityManager) {
    this.#manager = manager;
  }

  /** Locks the jobs until the end of the transaction; ids that do not exist are missing in the result. */
  async lock(ids: readonly string[]): Promise<ReadonlyMap<string, StoredJob>> {
    if (ids.length === 0) return new Map();
    // In one order in all transactions, against deadlocks.
    const raw: Record<string, unknown>[] = await this.#manager.query(
      'SELECT * FROM jobs WHERE id = ANY($1) ORDER BY id FOR UPDATE',
      [ids],
    );
    const rows = raw.map(toJobRow);
    for (const row of rows) this.#rows.set(row.id, row);
    return new Map(rows.map((row) => [row.id, toStoredJob(row)]));
  }

  /** Locks one job of the tenant. @throws NotFoundError where there is none, or it is another tenant's. */
  async lockOwn(tenantId: string, id: string): Promise<StoredJob> {
    const stored = (await this.lock([id])).get(id);
    if (stored?.tenantId !== tenantId) throw new NotFoundError('job', id, ['input', 'id']);
    return stored;
  }

  /** @throws ValidationError when another job of the tenant has the external id. */
  async insert(job: NewJob): Promise<void> {
    const [inserted] = await insertJobs(this.#manager, [{ job, key: null }]);
    if (inserted instanceof Error) throw inserted;
  }

  /** Raises the revision by one for each update; the jobs must be locked. */
  apply(updates: readonly JobUpdate[]): Promise<void> {
    return writeUpdates(this.#manager, this.#rows, updates);
  }

  /** As `apply`, but data that Postgres refuses is returned as the error, with nothing of the updates written. */
  async tryToApply(updates: readonly JobUpdate[]): Promise<Error | null> {
    await this.#manager.query('SAVEPOINT updates');
    try {
      await this.apply(updates);
      return null;
    } catch (error) {
      if (!isRefusedData(error)) throw error;
      await this.#manager.query('ROLLBACK TO SAVEPOINT updates');
      return error;
    }
  }

  async delete(ids: readonly string[]): Promise<void> {
    // The next sweep deletes the recording of the last job.
    await this.#manager.query(
      `WITH gone AS (DELETE FROM jobs WHERE id = ANY($1) RETURNING upload_id)
       UPDATE uploads SET expires_at = least(expires_at, now()) WHERE id IN (SELECT upload_id FROM gone)
         AND NOT EXISTS (SELECT 1 FROM jobs WHERE upload_id = uploads.id AND jobs.id <> ALL($1))`,
      [ids],
    );
    for (const id of ids) this.#notify(CHANNELS.jobChanged, id);
  }

  /** A key may be claimed again after 24 h. A concurrent claim of it waits for the first transaction to end. */
  claimKey(key: UsedKey & { readonly jobId: string }): Promise<KeyClaim> {
    return claimKey(this.#manager, key);
  }

  /** @throws OffsetConflictError when another projector moved it. */
  moveOffset(from: ProjectorOffset | null, to: ProjectorOffset): Promise<void> {
    return moveOffset(this.#manager, from, to);
  }

  quarantine(event: QuarantinedEvent): Promise<void> {
    return quarantine(this.#manager, event);
  }

  #notify(channel: string, payload: string): void {
    this.#news.push([channel, payload]);
  }

  /** Notifies every server with the commit. Postgres removes duplicates. */
  async announce(): Promise<void> {
    if (this.#news.length === 0) return;
    const [channels, payloads] = [0, 1].map((part) => this.#news.map((pair) => pair[part]));
    await this.#manager.query(
      'SELECT pg_notify(channel, payload) FROM unnest($1::text[], $2::text[]) AS news (channel, payload)',
      [channels, payloads],
    );
  }
}
