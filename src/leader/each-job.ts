import { UnavailableError } from '../domain/errors.ts';
import type { Logger } from '../observability/logger.ts';

export interface EachJobOptions<Item> {
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** What the log says of a job for which the work failed. */
  readonly failed: string;
  /** For the log. */
  readonly jobIdOf: (item: Item) => string | null;
}

/**
 * Does the work for one job after another. An error of one job is logged and does not stop the others.
 *
 * @throws UnavailableError where the database or NATS can't be reached, since that concerns every job.
 */
export async function forEachJob<Item>(
  items: Iterable<Item> | AsyncIterable<Item>,
  work: (item: Item) => Promise<void>,
  { signal, log, failed, jobIdOf }: EachJobOptions<Item>,
): Promise<void> {
  for await (const item of items) {
    if (signal.aborted) return;
    try {
      await work(item);
    } catch (err) {
      if (err instanceof UnavailableError) throw err;
      log.warn({ err, jobId: jobIdOf(item) }, failed);
    }
  }
}
