import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type FaultRig, startFaultRig, textsOf } from '../support/fault-rig.ts';
import { endWorker, eventually } from '../support/worker-rig.ts';

/** Retries, dead letters, pauses, schedules and cancels, from the API to a worker and back. */
let rig: FaultRig;
beforeAll(async () => {
  rig = await startFaultRig();
  await rig.spawnWorker();
});
afterAll(() => rig?.stop());
afterEach(() => rig.client.request(RESUME));

const RESUME =
  'mutation { resumeQueue(input: { name: "whisper" }) { ... on QueuePayload { queue { isPaused } } } }';
const PAUSE = `mutation { pauseQueue(input: { name: "whisper", reason: "a test needs quiet" }) {
  ... on QueuePayload { queue { isPaused pauseReason } } } }`;
const JOB = `query ($id: ID!) { job(id: $id) {
  status nextAttemptAt failure { kind code deadLetteredAt } attempts { number outcome finishedAt } } }`;
const RETRY =
  'mutation ($id: ID!) { retryJob(input: { id: $id }) { __typename ... on RetryJobPayload { job { id } } } }';
const DEAD = 'query ($filter: JobFilter) { deadLetters(filter: $filter) { nodes { id status } } }';
const GROUPS = 'query ($filter: JobFilter) { failureGroups(filter: $filter) { count kind sampleJobIds } }';
const bulk = (mutation: string): string => `mutation ($input: BulkJobsInput!) { ${mutation}(input: $input) {
  __typename ... on BulkJobsPayload { matched changed skipped dryRun } ... on ConfirmationError { matched } } }`;

interface Job {
  readonly status: string;
  readonly nextAttemptAt: string | null;
  readonly failure: {
    readonly kind: string;
    readonly code: string;
    readonly deadLetteredAt: string | null;
  } | null;
  readonly attempts: readonly {
    readonly number: number;
    readonly outcome: string;
    readonly finishedAt: string;
  }[];
}

const jobOf = async (id: string): Promise<Job> => (await rig.client.request<{ job: Job }>(JOB, { id })).job;

async function deadLetters(tag: string): Promise<readonly string[]> {
  const filter = { tags: [tag] };
  const { deadLetters: page } = await rig.client.request<{ deadLetters: { nodes: { id: string }[] } }>(DEAD, {
    filter,
  });
  return page.nodes.map(({ id }) => id);
}

async function bulkOf(mutation: string, input: object): Promise<unknown> {
  return (await rig.client.request<Record<string, unknown>>(bulk(mutation), { input }))[mutation];
}

test('a retryable failure is retried after the wait that the engine asked for, which the job shows', async () => {
  const script = 'wait/6/1000/20';
  const id = await rig.submit(`${script}?fail=RATE_LIMITED@1&retryAfterMs=1500&after=3`);
  await eventually(async () => (await jobOf(id)).status === 'RETRYING', 'it waits for its next attempt');
  const waiting = await jobOf(id);

  expect(await rig.completedTexts(id)).toEqual(textsOf(script));
  expect(waiting.failure?.kind).toBe('RATE_LIMITED');
  const waitMs = Date.parse(waiting.nextAttemptAt ?? '') - Date.parse(waiting.attempts[0]?.finishedAt ?? '');
  expect(waitMs).toBeGreaterThanOrEqual(1500);
  const events = await rig.eventsOf(id);
  expect(events.findLast((event) => event.type === 'started')).toMatchObject({ attempt: 2, segmentCount: 3 });
});

test('a permanent failure ends the job at once, and the job can be retried by hand', async () => {
  const script = 'byhand/4/1000/20';
  const id = await rig.submit(`${script}?fail=AUDIO@1&after=2`);
  await rig.jobs.finished(id);
  const failed = await jobOf(id);
  const { retryJob } = await rig.client.request<{ retryJob: unknown }>(RETRY, { id });

  expect(failed).toMatchObject({ status: 'FAILED', failure: { kind: 'AUDIO', deadLetteredAt: null } });
  expect(failed.attempts).toHaveLength(1);
  expect(retryJob).toEqual({ __typename: 'RetryJobPayload', job: { id } });
  expect(await rig.completedTexts(id)).toEqual(textsOf(script));
  expect((await jobOf(id)).attempts.map(({ number, outcome }) => [number, outcome])).toEqual([
    [1, 'FAILED'],
    [2, 'COMPLETED'],
  ]);
});

test('dead letters are grouped by cause, and requeued only when their number is the expected one', async () => {
  const script = 'gaveup/4/1000/10';
  const tags = ['requeued'];
  const ids = [1, 2].map(() => rig.submit(`${script}?fail=INTERNAL@1.2.3`, { tags }));
  const [first = '', second = ''] = await Promise.all(ids);
  for (const id of [first, second]) {
    expect((await rig.jobs.finished(id)).status).toBe('FAILED');
    expect((await jobOf(id)).attempts).toHaveLength(3);
  }
  const filter = { tags };
  const { failureGroups } = await rig.client.request<{ failureGroups: unknown }>(GROUPS, { filter });
  const dry = await bulkOf('requeueDeadLetters', { filter, dryRun: true });
  const wrong = await bulkOf('requeueDeadLetters', { filter, expectedCount: 5 });
  const listed = await deadLetters('requeued');
  const right = await bulkOf('requeueDeadLetters', { filter, expectedCount: 2 });

  expect(failureGroups).toMatchObject([{ count: 2, kind: 'INTERNAL' }]);
  expect(dry).toEqual({ __typename: 'BulkJobsPayload', matched: 2, changed: 0, skipped: 0, dryRun: true });
  expect(wrong).toEqual({ __typename: 'ConfirmationError', matched: 2 });
  expect(listed.toSorted()).toEqual([first, second].toSorted());
  expect(right).toEqual({ __typename: 'BulkJobsPayload', matched: 2, changed: 2, skipped: 0, dryRun: false });
  for (const id of [first, second]) expect(await rig.completedTexts(id)).toEqual(textsOf(script));
  expect(await deadLetters('requeued')).toEqual([]);
});

test('a discarded dead letter is no longer listed, and stays readable', async () => {
  const id = await rig.submit('discarded/4/1000/10?fail=INTERNAL@*', { tags: ['discarded'] });
  await rig.jobs.finished(id);
  const listed = await deadLetters('discarded');
  const done = await bulkOf('discardDeadLetters', { filter: { tags: ['discarded'] }, expectedCount: 1 });

  expect(listed).toEqual([id]);
  expect(done).toMatchObject({ changed: 1 });
  expect(await deadLetters('discarded')).toEqual([]);
  expect(await jobOf(id)).toMatchObject({
    status: 'FAILED',
    failure: { kind: 'INTERNAL', deadLetteredAt: null },
  });
});

test('a paused queue starts no job, and its waiting jobs run when it is resumed', async () => {
  expect(await rig.client.request(PAUSE)).toMatchObject({ pauseQueue: { queue: { isPaused: true } } });
  const id = await rig.submit('paused/3/1000/10');
  const canceled = await rig.submit('canceled/3/1000/10');
  expect((await rig.jobs.cancel(canceled)).outcome).toBe('CANCELED');
  expect(await rig.query('SELECT id FROM jobs WHERE admitted_at IS NOT NULL')).toEqual([]);
  await rig.client.request(RESUME);

  expect((await rig.jobs.finished(id)).status).toBe('COMPLETED');
  expect(await rig.eventsOf(canceled)).toEqual([]);
});

test('a scheduled job waits for its time', async () => {
  const scheduledFor = new Date(Date.now() + 1500);
  const id = await rig.submit('scheduled/3/1000/10', { scheduledFor: scheduledFor.toISOString() });
  expect(await jobOf(id)).toMatchObject({ status: 'SCHEDULED' });
  // Without a wake by the new job, the server would look only every 10 s.
  await eventually(async () => (await jobOf(id)).status === 'COMPLETED', 'it ran at its time', 6000);

  const [started] = (await rig.eventsOf(id)).filter((event) => event.type === 'started');
  expect(started?.at).toBeGreaterThanOrEqual(scheduledFor.getTime());
});

test('a job that has not finished by its deadline fails, whether it runs or waits', async () => {
  const deadline = new Date(Date.now() + 2500).toISOString();
  const running = await rig.submit('slow/2/1000/10?hang=*&after=1', { deadline });
  await rig.reaches(running, 1);
  await rig.client.request(PAUSE);
  const waiting = await rig.submit('late/2/1000/10', { deadline });
  for (const id of [running, waiting]) await rig.jobs.finished(id);

  expect(await jobOf(running)).toMatchObject({ status: 'FAILED', failure: { kind: 'TIMEOUT' } });
  expect(await jobOf(waiting)).toMatchObject({
    status: 'FAILED',
    failure: { kind: 'TIMEOUT', code: 'DEADLINE_EXCEEDED' },
    attempts: [],
  });
});

test('a canceled run stops at once and keeps its segments', async () => {
  const id = await rig.submit('letgo/1000/1000/50');
  await rig.reaches(id, 3);
  expect((await rig.jobs.cancel(id)).outcome).toBe('REQUESTED');
  const job = await rig.jobs.finished(id);

  expect(job.status).toBe('CANCELED');
  expect(job.transcript?.segments.nodes.length).toBeGreaterThanOrEqual(3);
  expect((await rig.jobs.cancel(id)).outcome).toBe('ALREADY_FINAL');
});

test('the concurrency of a queue limits its running jobs over all workers', async () => {
  const set = (concurrency: number) =>
    rig.client.request(
      `mutation { setQueueConcurrency(input: { name: "whisper", concurrency: ${concurrency} }) { __typename } }`,
    );
  const extra = await rig.spawnWorker();
  await set(1);
  await rig.quickenLanes();
  const ids = await Promise.all([1, 2, 3].map((index) => rig.submit(`bounded${index}/6/1000/50`)));
  for (const id of ids) await rig.jobs.finished(id);
  const runs = await rig.query<{ from: Date; to: Date }>(
    'SELECT started_at AS from, finished_at AS to FROM attempts WHERE job_id = ANY($1) ORDER BY started_at',
    [ids],
  );
  await set(100);

  expect(runs).toHaveLength(3);
  for (const [index, { from }] of runs.slice(1).entries()) {
    expect(from.getTime()).toBeGreaterThanOrEqual(runs[index]?.to.getTime() ?? 0);
  }
  await endWorker(extra);
});
