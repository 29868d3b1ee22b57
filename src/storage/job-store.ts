import type { Database } from './database.ts';
import { earlierClaim, type UsedKey } from './idempotency-keys.ts';
import { createJobInserter } from './insert-jobs.ts';
import { JobTransaction } from './job-transaction.ts';

export type JobStore = ReturnType<typeof createJobStore>;

/** Jobs as the use cases write them. */
export function createJobStore(database: Database) {
  return {
    /** Everything inside commits together or not at all; listeners are notified of changed jobs after the commit. */
    transaction: <Result>(work: (jobs: JobTransaction) => Promise<Result>): Promise<Result> =>
      database.transaction(async (manager) => {
        const transaction = new JobTransaction(manager);
        const result = await work(transaction);
        await transaction.announce();
        return result;
      }),

    insert: createJobInserter(database),

    /** Ids of jobs whose retention is over, the oldest first. */
    async expired(now: Date, limit: number): Promise<readonly string[]> {
      const rows: { id: string }[] = await database.query(
        'SELECT id FROM jobs WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2',
        [now, limit],
      );
      return rows.map((row) => row.id);
    },

    /** What an earlier call with the key led to, or null; claims nothing and waits for no other call. */
    earlierClaim: (key: UsedKey) => earlierClaim(database, key),
  };
}
