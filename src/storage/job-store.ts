import type { DataSource } from 'typeorm';
import type { JobStore } from '../app/ports.ts';
import { whenReachable } from './database.ts';
import { earlierClaim } from './idempotency-keys.ts';
import { insertAlone } from './insert-job.ts';
import { PostgresJobTransaction } from './job-transaction.ts';

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
