import { expect, it } from 'vitest';
import { UnavailableError } from '../../../src/domain/errors.ts';
import { deleteExpired } from '../../../src/leader/delete-expired.ts';
import type { JobStore } from '../../../src/storage/job-store.ts';

const ids = Array.from({ length: 120 }, (_, n) => `job_${n}`);

/** A store that deletes at most so many at once. */
function storeOf(limit: number, deleted: string[]): JobStore {
  const remove = async (batch: readonly string[]) => {
    if (batch.length > limit) throw new UnavailableError('too much');
    deleted.push(...batch);
  };
  return {
    expired: async () => ids,
    transaction: (work: (jobs: { delete: typeof remove }) => unknown) => work({ delete: remove }),
  } as unknown as JobStore;
}

it('deletes every expired job once, even where the database can delete only a few at a time', async () => {
  for (const limit of [1000, 7, 1]) {
    const deleted: string[] = [];
    await deleteExpired(storeOf(limit, deleted), new Date());
    expect(deleted).toEqual(ids);
  }
});

it('fails when not even one job can be deleted', async () => {
  await expect(deleteExpired(storeOf(0, []), new Date())).rejects.toThrow(UnavailableError);
});
