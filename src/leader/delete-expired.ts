import { UnavailableError } from '../domain/errors.ts';
import type { JobStore } from '../storage/job-store.ts';

const JOBS_A_SWEEP = 500;
/** The segments go with their job, and there may be thousands to each. */
const JOBS_A_TRANSACTION = 50;

/**
 * Deletes jobs whose retention is over, a bounded number each time in small transactions. Where a transaction takes the
 * database too long, the next ones are smaller.
 *
 * @throws UnavailableError when not even one job can be deleted.
 */
export async function deleteExpired(
  store: Pick<JobStore, 'expired' | 'transaction'>,
  now: Date,
): Promise<void> {
  const ids = await store.expired(now, JOBS_A_SWEEP);
  let size = JOBS_A_TRANSACTION;
  for (let next = 0; next < ids.length; ) {
    const batch = ids.slice(next, next + size);
    try {
      await store.transaction((jobs) => jobs.delete(batch));
      next += batch.length;
    } catch (error) {
      if (!(error instanceof UnavailableError) || size === 1) throw error;
      size = Math.floor(size / 2);
    }
  }
}
