import { expect, it } from 'vitest';
import { deleteExpired } from '../../../src/app/delete-expired.ts';
import { UnavailableError } from '../../../src/domain/errors.ts';
import type { JobStore } from '../../../src/storage/job-store.ts';

const ids = Array.from({ length: 120 }, (_, n) => `job_${n}`);
const schedule = { expired: async () => ids };

/** A store that deletes at most so many at once. */
function storeOf(limit: number, deleted: string[]): JobStore {
  const remove = async (batch: readonly string[]) => {
    if (batch.length > limit) throw new UnavailableError('too much');
    deleted.push(...batch);
  };
  return {
    transaction: (work: (jobs: { delete: typeof remove }) => unknown) => work({ delete: remove }),
  } as unknown as JobStore;
}

it('deletes every expired job once, also where the database stands only a few at a time', async () => {
  for (const limit of [1000, 7, 1]) {
    const deleted: string[] = [];
    await deleteExpired({ store: storeOf(limit, deleted), schedule }, new Date());
    expect(deleted).toEqual(ids);
  }
});

it('tells when not even one can be deleted', async () => {
  await expect(deleteExpired({ store: storeOf(0, []), schedule }, new Date())).rejects.toThrow(
    UnavailableError,
  );
});
