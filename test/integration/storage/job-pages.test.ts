import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ValidationError } from '../../../src/domain/errors.ts';
import type { JobListQuery, JobOrderField } from '../../../src/domain/job-list.ts';
import { pageParts } from '../../../src/storage/job-pages.ts';
import { createJobReader } from '../../../src/storage/job-reader.ts';
import { DAY_MS, OTHER_TENANT, openTestStorage, TENANT, type TestStorage } from '../../support/storage.ts';

const NOON = Date.parse('2026-01-01T12:00:00.000Z');
let storage: TestStorage;
let ids: string[];

beforeAll(async () => {
  storage = await openTestStorage();
  ids = [];
  for (let n = 0; n < 12; n += 1) {
    ids.push(
      await storage.insert({
        // Pairs share a time, so that the id decides.
        submittedAt: new Date(NOON + Math.floor(n / 2) * 1000),
        tags: n % 3 === 0 ? ['third', 'café'] : [],
        externalId: `order-${n}`,
        priority: n % 2 === 0 ? 'HIGH' : 'LOW',
        audio: { filename: `Talk ${n}_100%.mp3`, contentType: null, sizeBytes: null, sha256: null },
      }),
    );
  }
  // Half of them have a duration, and the others no value to order by.
  for (const [n, id] of ids.entries()) {
    if (n % 2 === 0) {
      await storage.database.query('UPDATE jobs SET audio_duration_ms = $2 WHERE id = $1', [
        id,
        (n % 4) * 1000,
      ]);
    }
  }
  await storage.insert({ tenantId: OTHER_TENANT });
});
afterAll(() => storage.close());

const query = (change: Partial<JobListQuery>): JobListQuery => ({
  filter: {},
  orderBy: { field: 'SUBMITTED_AT', direction: 'DESC' },
  ...change,
});

async function walk(
  way: 'forward' | 'backward',
  orderBy: JobListQuery['orderBy'],
  size: number,
): Promise<string[]> {
  const reader = createJobReader(storage.database);
  const seen: string[] = [];
  let cursor: string | null = null;
  for (;;) {
    const page = await reader.list(
      TENANT,
      query(
        way === 'forward' ? { orderBy, first: size, after: cursor } : { orderBy, last: size, before: cursor },
      ),
    );
    const nodes = page.edges.map((edge) => edge.node.id);
    if (way === 'forward') seen.push(...nodes);
    else seen.unshift(...nodes);
    const more = way === 'forward' ? page.hasNextPage : page.hasPreviousPage;
    cursor = (way === 'forward' ? page.edges.at(-1) : page.edges[0])?.cursor ?? null;
    if (!more) return seen;
  }
}

function explain([sql, parameters]: [string, unknown[]]): Promise<string> {
  return storage.database.transaction(async (manager) => {
    // A dozen rows are faster read whole; a million are not.
    await manager.query('SET LOCAL enable_seqscan = off');
    await manager.query('SET LOCAL enable_bitmapscan = off');
    return JSON.stringify(await manager.query(`EXPLAIN ${sql}`, parameters));
  });
}

describe('pages of jobs', () => {
  const fields: JobOrderField[] = ['SUBMITTED_AT', 'STARTED_AT', 'FINISHED_AT', 'AUDIO_DURATION'];
  const cases = fields.flatMap((field) =>
    (['ASC', 'DESC'] as const).map((direction) => ({ field, direction })),
  );

  it.each(cases)('contain every job once, forward and backward, by $field $direction', async (orderBy) => {
    const forward = await walk('forward', orderBy, 5);

    expect([...forward].sort()).toEqual([...ids].sort());
    expect(await walk('backward', orderBy, 5)).toEqual(forward);
  });

  it('put jobs without a value last in either direction', async () => {
    const reader = createJobReader(storage.database);
    for (const direction of ['ASC', 'DESC'] as const) {
      const page = await reader.list(
        TENANT,
        query({ first: 12, orderBy: { field: 'AUDIO_DURATION', direction } }),
      );
      const known = page.edges.map((edge) => edge.node.audio.durationSeconds !== null);
      expect(known).toEqual([...Array(6).fill(true), ...Array(6).fill(false)]);
    }
  });

  it('do not shift when jobs are inserted meanwhile', async () => {
    const reader = createJobReader(storage.database);
    const first = await reader.list(TENANT, query({ first: 6 }));
    const inserted = await storage.insert({ submittedAt: new Date(NOON + DAY_MS) });
    const second = await reader.list(TENANT, query({ first: 6, after: first.edges.at(-1)?.cursor }));
    await storage.store.transaction((jobs) => jobs.delete([inserted]));

    const seen = [...first.edges, ...second.edges].map((edge) => edge.node.id);
    expect([...seen].sort()).toEqual([...ids].sort());
  });

  const INDEXES: Readonly<Record<JobOrderField, string>> = {
    SUBMITTED_AT: 'jobs_by_submission',
    STARTED_AT: 'jobs_by_start',
    FINISHED_AT: 'jobs_by_finish',
    AUDIO_DURATION: 'jobs_by_duration',
  };

  it.each(cases)('are read from the index by $field $direction, first and later ones', async (orderBy) => {
    const { database } = storage;
    const { edges } = await createJobReader(database).list(TENANT, query({ orderBy, first: 12 }));
    const cursors = [edges[0]?.cursor, edges.at(-1)?.cursor];
    const later = cursors.flatMap((cursor) => [
      { first: 3, after: cursor ?? '' },
      { last: 3, before: cursor ?? '' },
    ]);
    for (const page of [{ first: 3 }, { last: 3 }, ...later]) {
      for (const part of pageParts(database, TENANT, query({ orderBy, ...page }))) {
        const plan = await explain(part.limit(4).getQueryAndParameters());
        expect(plan).toContain(INDEXES[orderBy.field]);
        expect(plan).not.toContain('Sort');
      }
    }
  });

  it('of dead letters are read from their own index', async () => {
    const orderBy = { field: 'FINISHED_AT', direction: 'DESC' } as const;
    const page = query({ orderBy, first: 3, filter: { deadLettered: true } });
    const [dead] = pageParts(storage.database, TENANT, page);
    const plan = await explain(dead?.limit(4).getQueryAndParameters() ?? ['', []]);

    expect(plan).toContain('jobs_dead');
    expect(plan).not.toContain('Sort');
  });

  it('refuse a cursor of another order, and an invalid one', async () => {
    const reader = createJobReader(storage.database);
    const page = await reader.list(TENANT, query({ first: 1 }));
    const orderBy = { field: 'AUDIO_DURATION', direction: 'ASC' } as const;

    await expect(reader.list(TENANT, query({ orderBy, after: page.edges[0]?.cursor }))).rejects.toThrow(
      ValidationError,
    );
    await expect(reader.list(TENANT, query({ after: 'nonsense' }))).rejects.toThrow(/not a cursor/);
  });
});

describe('a filter', () => {
  const matching = async (filter: JobListQuery['filter']) =>
    (await createJobReader(storage.database).list(TENANT, query({ first: 100, filter }))).edges.map((edge) =>
      ids.indexOf(edge.node.id),
    );

  it('matches any value of a list, and all fields', async () => {
    expect((await matching({ tags: ['third', 'none'], priority: ['HIGH'] })).sort((a, b) => a - b)).toEqual([
      0, 6,
    ]);
  });

  it('never matches jobs of another tenant', async () => {
    expect(await matching({})).toHaveLength(12);
  });

  it.each([
    ['the file name in any case', 'talk 1', [1, 10, 11]],
    ['a percent sign as itself', 'Talk 1_100%', [1]],
    ['an underscore as itself', 'Talk 1_1', [1]],
    ['a tag', 'caf', [0, 3, 6, 9]],
    ['the external id', 'order-1', [1, 10, 11]],
  ])('searches %s by prefix', async (_what, search, expected) => {
    expect((await matching({ search })).sort((a, b) => a - b)).toEqual(expected);
  });

  it('limits times', async () => {
    const submittedAt = { gte: new Date(NOON + 1000), lt: new Date(NOON + 3000) };
    expect((await matching({ submittedAt })).sort((a, b) => a - b)).toEqual([2, 3, 4, 5]);
  });

  it('counts exactly up to the cap, and gives no count above it', async () => {
    const reader = createJobReader(storage.database);

    expect(await reader.count(TENANT, {}, 12)).toBe(12);
    expect(await reader.count(TENANT, {}, 11)).toBeNull();
    expect(await reader.countByStatus(TENANT, {})).toEqual([{ status: 'QUEUED', count: 12 }]);
  });
});
