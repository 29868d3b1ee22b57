import type { DataSource } from 'typeorm';
import type { NewJob } from '../domain/new-job.ts';
import { whenReachable } from './database.ts';
import { earlierClaim, type KeyClaim, type UsedKey } from './idempotency-keys.ts';
import { insertAlone } from './insert-job.ts';
import { type JobTransaction, PostgresJobTransaction } from './job-transaction.ts';

export function createJobStore(database: DataSource, options: { readonly retentionMs: number }): JobStore {
  return {
    transaction: (work) =>
      whenReachable(() =>
        database.transaction(async (manager) => {
          const transaction = new PostgresJobTransaction(manager, options.retentionMs);
          const result = await work(transaction);
          await transaction.announce();
          return result;
        }),
      ),

    insert: (job) => whenReachable(() => insertAlone(database, job)),

    earlierClaim: (key) => whenReachable(() => earlierClaim(database, key)),
  };
}

/**
 * Jobs as the use cases write them. Everything inside one `transaction` commits together or not at all;
 * listeners hear of changed jobs after the commit, never before.
 *
 * @throws UnavailableError when the database can't be reached.
 */
export interface JobStore {
  transaction<Result>(work: (jobs: JobTransaction) => Promise<Result>): Promise<Result>;
  /** A transaction that inserts this job and nothing else, in one round trip. @throws as JobTransaction.insert. */
  insert(job: NewJob): Promise<void>;
  /** What an earlier call with the key led to, or null; claims nothing and waits for nobody. */
  earlierClaim(key: UsedKey): Promise<Extract<KeyClaim, { claimed: false }> | null>;
}
