import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Service, startService } from '../support/service.ts';

interface Page {
  readonly nodes: readonly { readonly id: string; readonly tags: readonly string[] }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
  readonly totalCount: number | null;
}

const TASKS = `query Jobs($filter: JobFilter, $orderBy: JobOrder, $first: Int, $after: String, $last: Int, $before: String) {
  jobs(filter: $filter, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
    nodes { id tags } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } }`;
const ASCENDING = { field: 'SUBMITTED_AT', direction: 'ASC' };
const DESCENDING = { field: 'SUBMITTED_AT', direction: 'DESC' };

let service: Service;

// No worker runs here: these jobs wait forever.
beforeAll(async () => {
  service = await startService({ workers: 0 });
});
afterAll(() => service?.stop());

const audio = { url: 'https://recordings.example/call.mp3' };

async function submitted(count: number, tag: string): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    ids.push(await service.jobs.accepted({ audio, tags: [tag] }));
  }
  return ids;
}

async function page(variables: Record<string, unknown>): Promise<Page> {
  return (await service.client.request<{ jobs: Page }>(TASKS, variables)).jobs;
}

const idsOf = (nodes: readonly { readonly id: string }[]): string[] => nodes.map((node) => node.id);

describe('submitting', () => {
  it('returns the first job when it is repeated with the same key', async () => {
    const input = { audio, idempotencyKey: 'repeat-me-once', tags: ['a'] };

    const first = await service.jobs.submit(input);
    const again = await service.jobs.submit(input);

    expect(first).toMatchObject({ __typename: 'SubmitJobPayload', replayed: false });
    expect(again).toMatchObject({ replayed: true, job: { id: first.job?.id } });
  });

  it('is refused when the key comes with another input; the error names the first job', async () => {
    const idempotencyKey = 'used-for-another';
    const first = await service.jobs.submit({ audio, idempotencyKey });

    const other = await service.jobs.submit({ audio, idempotencyKey, priority: 'HIGH' });

    expect(other).toMatchObject({
      __typename: 'IdempotencyError',
      code: 'IDEMPOTENCY_MISMATCH',
      jobId: first.job?.id,
    });
  });

  it('creates one job for many concurrent requests with the same key', async () => {
    const input = { audio, idempotencyKey: 'all-at-the-same-time' };

    const outcomes = await Promise.all(Array.from({ length: 8 }, () => service.jobs.submit(input)));

    expect(new Set(outcomes.map((outcome) => outcome.job?.id)).size).toBe(1);
    expect(outcomes.filter((outcome) => outcome.replayed === false)).toHaveLength(1);
  });

  it('stores every option of the job', async () => {
    const own = { externalId: 'call-17', tags: ['sales', 'de'], metadata: { caller: { id: 7 } } };

    const id = await service.jobs.accepted({ audio, ...own, priority: 'LOW', vocabulary: ['Kubernetes'] });

    const { jobByExternalId } = await service.client.request<{ jobByExternalId: unknown }>(
      '{ jobByExternalId(externalId: "call-17") { id externalId tags metadata priority options { vocabulary } audio { filename } } }',
    );
    expect(jobByExternalId).toEqual({
      id,
      ...own,
      priority: 'LOW',
      options: { vocabulary: ['Kubernetes'] },
      audio: { filename: 'call.mp3' },
    });
  });
});

describe('a job', () => {
  it('is found by its node id; an unknown id gives null', async () => {
    const [id] = await submitted(1, 'by-id');
    const absent = `job_${'0'.repeat(32)}`;

    const answer = await service.client.request(
      `query Nodes($id: ID!, $ids: [ID!]!) {
        node(id: $id) { __typename id } nodes(ids: $ids) { id ... on Job { status } }
        job(id: "nonsense") { id } jobByExternalId(externalId: "nobody's") { id } }`,
      { id, ids: [absent, id, 'nonsense'] },
    );

    expect(answer).toEqual({
      node: { __typename: 'Job', id },
      nodes: [null, { id, status: 'QUEUED' }, null],
      job: null,
      jobByExternalId: null,
    });
  });
});

describe('the list of jobs', () => {
  it('is filtered and ordered as requested', async () => {
    const ids = await submitted(3, 'listed');
    await service.jobs.cancel(ids[1] as string);

    const waiting = await page({ filter: { tags: ['listed'], status: ['QUEUED'] }, orderBy: ASCENDING });
    const all = await page({ filter: { tags: ['listed'] }, orderBy: DESCENDING });
    const none = await page({ filter: { tags: ['listed'], priority: ['HIGH'] } });

    expect(idsOf(waiting.nodes)).toEqual([ids[0], ids[2]]);
    expect(idsOf(all.nodes)).toEqual(ids.toReversed());
    expect(all.totalCount).toBe(3);
    expect(none).toMatchObject({
      nodes: [],
      totalCount: 0,
      pageInfo: { hasNextPage: false, endCursor: null },
    });
  });

  it('pages forward without a gap while jobs are submitted', async () => {
    const ids = await submitted(7, 'forward');
    const seen: string[] = [];
    let after: string | null = null;

    for (let more = true; more; ) {
      const next: Page = await page({ filter: { tags: ['forward'] }, orderBy: DESCENDING, first: 2, after });
      seen.push(...idsOf(next.nodes));
      after = next.pageInfo.endCursor;
      more = next.pageInfo.hasNextPage;
      // Newer than everything on the list: it must not move anything to another page.
      await submitted(1, 'forward');
    }

    expect(seen).toEqual(ids.toReversed());
  });

  it('pages backward to the newest, including jobs submitted meanwhile', async () => {
    const ids = await submitted(5, 'backward');
    const oldest = await page({ filter: { tags: ['backward'] }, orderBy: DESCENDING, last: 2 });
    const late = await submitted(2, 'backward');
    const seen = [...idsOf(oldest.nodes)];
    let before = oldest.pageInfo.startCursor;

    for (let more = true; more; ) {
      const previous: Page = await page({
        filter: { tags: ['backward'] },
        orderBy: DESCENDING,
        last: 2,
        before,
      });
      seen.unshift(...idsOf(previous.nodes));
      before = previous.pageInfo.startCursor;
      more = previous.pageInfo.hasPreviousPage;
    }

    expect(oldest.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: true });
    expect(seen).toEqual([...ids, ...late].toReversed());
  });

  it('refuses pages that are too large, and cursors of another list', async () => {
    const { pageInfo } = await page({ first: 1 });

    const tooMany = await service.client.post(TASKS, { first: 101 });
    const foreign = await service.client.post(TASKS, {
      after: pageInfo.endCursor,
      orderBy: { field: 'FINISHED_AT', direction: 'ASC' },
    });
    const broken = await service.client.post(TASKS, { after: 'nonsense' });

    for (const answer of [tooMany, foreign, broken]) {
      expect(answer.errors[0]?.extensions?.code).toBe('BAD_USER_INPUT');
    }
  });
});
