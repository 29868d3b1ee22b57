import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventSubject } from '../../src/contract/subjects.ts';
import { publishTask } from '../../src/messaging/tasks.ts';
import {
  aCompletedEvent,
  aSegment,
  aSegmentsEvent,
  aStartedEvent,
  aTask,
  wordsOf,
} from '../support/builders.ts';
import { type FaultRig, startFaultRig, textsOf } from '../support/fault-rig.ts';
import { endWorker, eventually, segmentsOf, typesOf } from '../support/worker-rig.ts';

/** Workers die, freeze, stop, or get the same task twice. */
let rig: FaultRig;
beforeAll(async () => {
  rig = await startFaultRig();
});
afterAll(() => rig?.stop());

const outcomesOf = async (id: string): Promise<readonly (string | null)[]> =>
  (await rig.jobs.find(id))?.attempts.map(({ outcome }) => outcome) ?? [];

test('a job whose worker is killed continues at its checkpoint, and its attempts show the loss', async () => {
  const script = 'killed/24/1000/80';
  const doomed = await rig.spawnWorker();
  const id = await rig.submit(script);
  await rig.reaches(id, 5);
  await endWorker(doomed);
  const heir = await rig.spawnWorker();

  expect(await rig.completedTexts(id)).toEqual(textsOf(script));
  expect(await outcomesOf(id)).toEqual(['LOST', 'COMPLETED']);
  const events = await rig.eventsOf(id);
  const restart = events.findLast((event) => event.type === 'started');
  expect(restart?.checkpointMs).toBeGreaterThan(0);
  await endWorker(heir);
});

test('a frozen worker that continues after another has its job changes nothing', async () => {
  const script = 'frozen/40/1000/80';
  const zombie = await rig.spawnWorker();
  const id = await rig.submit(script);
  await rig.reaches(id, 4);
  zombie.kill('SIGSTOP');
  const heir = await rig.spawnWorker();
  await eventually(
    async () => (await rig.eventsOf(id)).some((event) => event.attempt === 2 && event.type === 'segments'),
    'another worker has the job',
  );
  zombie.kill('SIGCONT');

  expect(await rig.completedTexts(id)).toEqual(textsOf(script));
  const events = await rig.eventsOf(id);
  expect(events.filter((event) => event.type === 'completed')).toHaveLength(1);
  const runIds = events.map((event) => event.runId).filter((own, at, all) => own !== all[at - 1]);
  expect(runIds).toHaveLength(2);
  await endWorker(zombie);
  await endWorker(heir);
});

test('a job that kills three workers is a dead letter', async () => {
  const id = await rig.submit('poison/10/1000/20?crash=*&after=2');
  const stop = new AbortController();
  const respawning = (async () => {
    while (!stop.signal.aborted) {
      const worker = await rig.spawnWorker();
      await Promise.race([once(worker, 'exit'), once(stop.signal, 'abort')]);
      await endWorker(worker);
    }
  })();
  const job = await rig.jobs.finished(id);
  stop.abort();
  await respawning;

  expect(job).toMatchObject({ status: 'FAILED', failure: { kind: 'WORKER_LOST' } });
  expect((await outcomesOf(id)).filter((outcome) => outcome === 'LOST')).toHaveLength(3);
  const [row] = await rig.query('SELECT dead_lettered_at FROM jobs WHERE id = $1', [id]);
  expect(row?.dead_lettered_at).toBeInstanceOf(Date);
});

test('a worker that is stopped releases its job, and the attempt does not count', async () => {
  const script = 'released/24/1000/80';
  const leaving = await rig.spawnWorker();
  const id = await rig.submit(script);
  await rig.reaches(id, 5);
  // Before anything slow, so that the job can't complete first on a busy machine.
  leaving.kill('SIGTERM');
  expect(await once(leaving, 'exit')).toEqual([0, null]);
  const heir = await rig.spawnWorker();

  expect(await rig.completedTexts(id)).toEqual(textsOf(script));
  expect(await outcomesOf(id)).toEqual(['RELEASED', 'COMPLETED']);
  const [row] = await rig.query('SELECT failures, lost_runs FROM jobs WHERE id = $1', [id]);
  expect(row).toEqual({ failures: 0, lost_runs: 0 });
  await endWorker(heir);
});

test('a task that is published again, while its job runs and after its end, causes no second run', async () => {
  const script = 'twice/20/1000/60';
  const workers = [await rig.spawnWorker(), await rig.spawnWorker()];
  const id = await rig.submit(script);
  await rig.reaches(id, 3);
  const again = (publication: number) =>
    publishTask(
      rig.nc,
      aTask({ jobId: id, publication, audio: { ...aTask().audio, url: `https://script.test/${script}` } }),
    );
  await again(100);
  expect(await rig.completedTexts(id)).toEqual(textsOf(script));
  const before = await rig.jobs.find(id);
  await again(101);
  const next = await rig.submit('next/2/1000/10');
  await rig.jobs.finished(next);

  expect(await rig.jobs.find(id)).toEqual(before);
  expect(typesOf(await rig.eventsOf(id))).toEqual(['started', 'audio', 'segments', 'completed']);
  for (const worker of workers) await endWorker(worker);
});

test('an event that cannot be read ends its own job, which can be retried, and no other', async () => {
  const worker = await rig.spawnWorker();
  const script = 'broken/40/1000/50';
  const id = await rig.submit(script);
  await rig.reaches(id, 3);
  rig.nc.publish(`transcribe.events.${id}`, 'not an event');
  const other = await rig.submit('unharmed/6/1000/20');

  expect(await rig.completedTexts(other)).toHaveLength(6);
  expect(await rig.jobs.finished(id)).toMatchObject({
    status: 'FAILED',
    failure: { kind: 'INTERNAL', code: 'EVENT_UNREADABLE' },
  });
  const quarantine = 'SELECT job_id, error, chain_ended FROM event_quarantine';
  await eventually(async () => (await rig.query(quarantine))[0]?.chain_ended === true, 'the chain ends');
  expect(await rig.query(quarantine)).toEqual([
    { job_id: id, error: expect.stringContaining('not JSON'), chain_ended: true },
  ]);

  await rig.client.request(`mutation { retryJob(input: { id: "${id}" }) { __typename } }`);
  expect(await rig.completedTexts(id)).toEqual(textsOf(script));
  await endWorker(worker);
});

test('text that Postgres refuses, from a worker in another language, is stored with U+FFFD in its place', async () => {
  const id = await rig.submit('foreign/1/1000/10');
  const text = 'hello \0 world \ud83d';
  const segment = aSegment({ text, words: wordsOf(text, 0, 2_000) });
  const done = { segmentCount: 1, checkpointMs: 2_000, language: '\0' };
  for (const event of [
    aStartedEvent({ jobId: id, workerId: '\ud83d' }),
    aSegmentsEvent([segment], { jobId: id, ordinal: 2, ...done }),
    aCompletedEvent({ jobId: id, ordinal: 3, ...done, requestId: '\ud83d' }),
  ]) {
    rig.nc.publish(eventSubject(id), JSON.stringify(event));
  }

  expect(await rig.completedTexts(id)).toEqual(['hello \ufffd world \ufffd']);
  const rows = await rig.query('SELECT error FROM event_quarantine WHERE job_id = $1', [id]);
  expect(rows).toEqual([]);
});

test('either a cancel or a completion wins, and the job, its chain and the response agree', async () => {
  const worker = await rig.spawnWorker();
  const ids = await Promise.all(
    Array.from({ length: 8 }, (_, index) => rig.submit(`race${index}/2/1000/30`)),
  );
  const canceled = new Map<string, string | undefined>();
  await Promise.all(
    ids.map(async (id) => {
      await eventually(async () => (await rig.eventsOf(id)).length > 1, 'it runs');
      canceled.set(id, (await rig.jobs.cancel(id)).outcome);
    }),
  );
  for (const id of ids) {
    const { status } = await rig.jobs.finished(id);
    const events = await rig.eventsOf(id);
    expect(status).toBe(events.at(-1)?.type.toUpperCase());
    expect(segmentsOf(events).length).toBeLessThanOrEqual(2);
    if (canceled.get(id) === 'ALREADY_FINAL') expect(status).toBe('COMPLETED');
  }
  await endWorker(worker);
});
