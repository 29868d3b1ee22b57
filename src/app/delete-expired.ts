import { UnavailableError } from '../domain/errors.ts';
import type { JobSchedule } from '../storage/job-schedule.ts';
import type { JobStore } from '../storage/job-store.ts';

const JOBS_A_SWEEP = 500;
/** The segments go with their job, and there may be thousands to each. */
const JOBS_A_TRANSACTION = 50;

/**
 * Deletes jobs whose retention is over, a bounded number each time and a few at once; fewer where the database finds
 * that too much.
 *
 * @throws UnavailableError when not even one can be deleted.
 */
export async function deleteExpired(
  ports: { readonly store: JobStore; readonly schedule: Pick<JobSchedule, 'expired'> },
  now: Date,
): Promise<void> {
  const ids = await ports.schedule.expired(now, JOBS_A_SWEEP);
  let size = JOBS_A_TRANSACTION;
  for (let next = 0; next < ids.length; ) {
    const batch = ids.slice(next, next + size);
    try {
      await ports.store.transaction((jobs) => jobs.delete(batch));
      next += batch.length;
    } catch (error) {
      if (!(error instanceof UnavailableError) || size === 1) throw error;
      size = Math.floor(size / 2);
    }
  }
}
