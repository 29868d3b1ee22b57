import { UnavailableError } from '../domain/errors.ts';
import type { Logger } from '../observability/logger.ts';
import type { JobStore } from '../storage/job-store.ts';

const JOBS_A_SWEEP = 500;
/** The segments are deleted with their job, and there may be thousands of each. */
const JOBS_A_TRANSACTION = 50;

/**
 * Deletes jobs whose retention is over, a bounded number each time, in small transactions. After one that failed, the
 * next ones are smaller, down to a single job; a job that fails alone is left out.
 *
 * @throws UnavailableError when the database can't delete even one.
 */
export async function deleteExpired(
  store: Pick<JobStore, 'expired' | 'transaction'>,
  now: Date,
  log: Logger,
): Promise<void> {
  const ids = await store.expired(now, JOBS_A_SWEEP);
  let size = JOBS_A_TRANSACTION;
  for (let next = 0; next < ids.length; ) {
    const batch = ids.slice(next, next + size);
    try {
      await store.transaction((jobs) => jobs.delete(batch));
      next += batch.length;
    } catch (err) {
      if (batch.length > 1) size = Math.floor(batch.length / 2);
      else if (err instanceof UnavailableError) throw err;
      else {
        log.warn({ err, jobId: batch[0] }, 'could not delete an expired job');
        next += 1;
      }
    }
  }
}
