import { afterAll, beforeAll, expect, it } from 'vitest';
import { ValidationError } from '../../../src/domain/errors.ts';
import { aNewJob } from '../../support/builders.ts';
import { openTestStorage, TENANT, type TestStorage } from '../../support/storage.ts';

let storage: TestStorage;
beforeAll(async () => {
  storage = await openTestStorage();
});
afterAll(() => storage.close());

const keyOf = (key: string, inputHash = 'one') => ({
  ...{ tenantId: TENANT, operation: 'submitJob', key, inputHash },
  now: new Date(),
});

async function commits(): Promise<number> {
  const [row]: { n: string }[] = await storage.database.query(
    `SELECT count(DISTINCT xmin::text) AS n FROM jobs WHERE 'together' = ANY(tags)`,
  );
  return Number(row?.n);
}

it('stores jobs that are submitted at the same time with two commits, and returns each as it is stored', async () => {
  const jobs = Array.from({ length: 50 }, (_, n) => aNewJob({ tags: ['together'], metadata: { n } }));

  const views = await Promise.all(jobs.map((job) => storage.store.insert({ job, key: null })));

  expect(views.map((view) => [view?.id, view?.metadata])).toEqual(jobs.map((job) => [job.id, job.metadata]));
  expect(views.every((view) => view?.status === 'QUEUED')).toBe(true);
  expect(await storage.reader.find(TENANT, [jobs[7]?.id ?? ''])).toEqual(new Map([[jobs[7]?.id, views[7]]]));
  // The first goes alone, the others wait for it and go together.
  expect(await commits()).toBeLessThanOrEqual(2);
});

it('refuses a job alone that Postgres cannot store, whose external id is taken, or whose key another call has', async () => {
  const submissions = [
    { job: aNewJob(), key: null },
    { job: aNewJob({ tags: ['a\0b'] }), key: null },
    { job: aNewJob({ externalId: 'twice' }), key: null },
    { job: aNewJob({ externalId: 'twice' }), key: null },
    { job: aNewJob(), key: keyOf('same-key') },
    { job: aNewJob(), key: keyOf('same-key', 'another') },
    { job: aNewJob(), key: null },
  ];

  const outcomes = await Promise.allSettled(
    submissions.map((submission) => storage.store.insert(submission)),
  );

  expect(
    outcomes.map((outcome) =>
      outcome.status === 'rejected' ? outcome.reason.constructor : outcome.value === null ? null : 'stored',
    ),
  ).toEqual(['stored', ValidationError, 'stored', ValidationError, 'stored', null, 'stored']);
  const found = await storage.reader.find(
    TENANT,
    submissions.map(({ job }) => job.id),
  );
  expect(found.size).toBe(4);
});
