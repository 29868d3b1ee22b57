import { BulkheadRejectedError, bulkhead } from 'cockatiel';
import { UnavailableError } from '../domain/errors.ts';

/**
 * Bounds how many pieces of work run at once, and how many more wait for their turn.
 *
 * @returns A function that runs a piece of work, or throws UnavailableError when no more may wait.
 */
export function atMost(
  running: number,
  waiting: number,
): <Result>(work: () => Promise<Result>) => Promise<Result> {
  const policy = bulkhead(running, waiting);
  return async (work) => {
    try {
      return await policy.execute(work);
    } catch (error) {
      if (!(error instanceof BulkheadRejectedError)) throw error;
      throw new UnavailableError('Too many concurrent requests; retry later.', { cause: error });
    }
  };
}
