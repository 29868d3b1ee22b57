import { BulkheadRejectedError, bulkhead } from 'cockatiel';
import { UnavailableError } from '../domain/errors.ts';

/**
 * Runs so many pieces of work at once and lets so many more wait their turn.
 *
 * @returns what runs a piece of work; it throws UnavailableError when no more may wait.
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
      throw new UnavailableError('Too much of this is asked at once.', { cause: error });
    }
  };
}
