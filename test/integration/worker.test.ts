import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROTOCOL_VERSION, type WorkerAnnouncement } from '../../src/contract/messages.ts';
import { appendEvent } from '../../src/messaging/chain.ts';
import { publishCancel } from '../../src/messaging/control.ts';
import { subscribeLive } from '../../src/messaging/live.ts';
import { publishTask } from '../../src/messaging/tasks.ts';
import { aCheckpoint, aStartedEvent } from '../support/builders.ts';
import { scriptOf } from '../support/scripted-engine.mjs';
import {
  ends,
  eventually,
  segmentsOf,
  startWorkerRig,
  typesOf,
  type WorkerRig,
} from '../support/worker-rig.ts';

let rig: WorkerRig;
beforeAll(async () => {
  rig = await startWorkerRig();
});
afterAll(() => rig.stop());

const cancel = (jobId: string) =>
  publishCancel(rig.nc, { v: PROTOCOL_VERSION, jobId, action: 'cancel', at: Date.now(), reason: null });

test('a task becomes a chain of events from started to completed, with every segment of the recording', async () => {
  const worker = await rig.worker();
  const task = await rig.task('plain/6/1000/20');
  const events = await rig.eventsUntil(task.jobId, ends);
  await worker.drain(1_000);

  expect(typesOf(events)).toEqual(['started', 'audio', 'segments', 'completed']);
  expect(events.map((event) => event.ordinal)).toEqual(events.map((_, index) => index + 1));
  expect(new Set(events.map((event) => event.runId)).size).toBe(1);
  const script = scriptOf(task.audio.url);
  expect(segmentsOf(events).map((segment) => segment.text)).toEqual(script?.segments.map(({ text }) => text));
  expect(segmentsOf(events).map((segment) => segment.index)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(events.at(-1)).toMatchObject({
    segmentCount: 6,
    checkpointMs: 6000,
    language: 'en',
    durationMs: 6000,
  });
  await rig.laneEmpty();
});

test('a second task of a finished job is dropped', async () => {
  const worker = await rig.worker();
  const task = await rig.task('twice/2/1000/10');
  const before = await rig.eventsUntil(task.jobId, ends);
  await publishTask(rig.nc, { ...task, publication: 2 });
  await rig.laneEmpty();
  expect(await rig.eventsOf(task.jobId)).toEqual(before);
  await worker.drain(0);
});

test('a second task of a running job does not steal it', async () => {
  const workers = [await rig.worker(), await rig.worker()];
  const task = await rig.task('stolen/10/1000/200');
  await rig.eventsUntil(task.jobId, (event) => event.type === 'segments');
  await publishTask(rig.nc, { ...task, publication: 2 });
  const events = await rig.eventsUntil(task.jobId, ends);
  expect(typesOf(events)).toEqual(['started', 'audio', 'segments', 'completed']);
  await rig.laneEmpty();
  await Promise.all(workers.map((worker) => worker.drain(0)));
});

test('two workers with two tasks of one job race for its start, and one succeeds', async () => {
  const workers = [await rig.worker({ slots: 4 }), await rig.worker({ slots: 4 })];
  const tasks = await Promise.all(
    Array.from({ length: 6 }, async (_, index) => {
      const task = await rig.task(`race${index}/3/1000/30`);
      await publishTask(rig.nc, { ...task, publication: 2 });
      return task;
    }),
  );
  for (const task of tasks) {
    const events = await rig.eventsUntil(task.jobId, ends);
    expect(events.filter((event) => event.type === 'started')).toHaveLength(1);
    expect(events.at(-1)?.type).toBe('completed');
  }
  await rig.laneEmpty();
  await Promise.all(workers.map((worker) => worker.drain(0)));
});

test('a job that was canceled before a worker had it does not start', async () => {
  const task = await rig.task('never/3/1000/10');
  await cancel(task.jobId);
  const worker = await rig.worker();
  const events = await rig.eventsUntil(task.jobId, ends);
  expect(typesOf(events)).toEqual(['canceled']);
  await rig.laneEmpty();
  await worker.drain(0);
});

test('a run ends when its job is canceled, and keeps its segments', async () => {
  const worker = await rig.worker();
  const task = await rig.task('canceled/1000/1000/50');
  await rig.eventsUntil(task.jobId, (event) => event.type === 'segments');
  await cancel(task.jobId);
  const events = await rig.eventsUntil(task.jobId, ends);
  expect(events.at(-1)?.type).toBe('canceled');
  expect(events.at(-1)?.segmentCount).toBe(segmentsOf(events).length);
  await rig.laneEmpty();
  await worker.drain(0);
});

test('a worker that shuts down gives its job back, and another one continues it at once where it stopped', async () => {
  const first = await rig.worker();
  const task = await rig.task('released/12/1000/100');
  await rig.eventsUntil(task.jobId, (event) => event.segmentCount >= 3);
  const second = await rig.worker();
  await first.drain(0);
  const events = await rig.eventsUntil(task.jobId, ends);
  expect(typesOf(events)).toEqual([
    'started',
    'audio',
    'segments',
    'released',
    'started',
    'audio',
    'segments',
    'completed',
  ]);
  expect(events.filter((event) => event.type === 'started').map((event) => event.attempt)).toEqual([1, 2]);
  expect(segmentsOf(events).map((segment) => segment.text)).toEqual(
    scriptOf(task.audio.url)?.segments.map(({ text }) => text),
  );
  expect(events.at(-1)?.lostRuns).toBe(0);
  await rig.laneEmpty();
  await second.drain(0);
});

test('an engine’s failure becomes a failed event of its kind', async () => {
  const worker = await rig.worker();
  const task = await rig.task('bad/4/1000/10?fail=RATE_LIMITED&after=2&retryAfterMs=4000');
  const events = await rig.eventsUntil(task.jobId, ends);
  expect(events.at(-1)).toMatchObject({
    type: 'failed',
    segmentCount: 2,
    failure: { kind: 'RATE_LIMITED', code: 'SCRIPTED_RATE_LIMITED', retryable: true, retryAfterMs: 4000 },
  });
  await rig.laneEmpty();
  await worker.drain(0);
});

test('a recording without speech fails with NO_SPEECH', async () => {
  const worker = await rig.worker();
  const task = await rig.task('silent/3/1000/10?silent=1');
  const events = await rig.eventsUntil(task.jobId, ends);
  expect(events.at(-1)).toMatchObject({ type: 'failed', failure: { kind: 'NO_SPEECH', retryable: false } });
  await worker.drain(0);
});

test('a run that takes too long fails with a timeout and keeps its checkpoint', async () => {
  const worker = await rig.worker();
  const limits = { maxAudioBytes: 1e9, maxAudioMs: 1e9, runTimeoutMs: 700, maxLostRuns: 3 };
  const task = await rig.task('slow/1000/1000/50', { limits });
  const events = await rig.eventsUntil(task.jobId, ends);
  expect(events.at(-1)).toMatchObject({ type: 'failed', failure: { kind: 'TIMEOUT' } });
  expect(events.at(-1)?.segmentCount).toBe(segmentsOf(events).length);
  await worker.drain(0);
});

test('a job that lost three runs fails', async () => {
  const task = await rig.task('poison/3/1000/10', { priority: 'LOW' });
  const lost = aStartedEvent({ jobId: task.jobId, runId: 'gone', attempt: 3, lostRuns: 2 });
  await appendEvent(rig.nc, lost, 0);
  const worker = await rig.worker();
  const events = await rig.eventsUntil(task.jobId, ends);
  expect(events.at(-1)).toMatchObject({
    type: 'failed',
    attempt: 4,
    failure: { kind: 'WORKER_LOST', code: 'WORKER_LOST_REPEATEDLY', retryable: false },
  });
  await rig.laneEmpty('LOW');
  await worker.drain(0);
});

test('a run continues at the newer of the task’s and the chain’s checkpoint', async () => {
  const resume = aCheckpoint({ segmentCount: 2, checkpointMs: 2000 });
  const task = await rig.task('resume/4/1000/10', { attempt: 2, resume });
  const worker = await rig.worker();
  const events = await rig.eventsUntil(task.jobId, ends);
  expect(events[0]).toMatchObject({ type: 'started', attempt: 2, segmentCount: 2, checkpointMs: 2000 });
  expect(segmentsOf(events).map((segment) => segment.index)).toEqual([2, 3]);
  await worker.drain(0);
});

test('the most urgent lane is served first', async () => {
  const low = await rig.task('low/1/1000/10', { priority: 'LOW' });
  const high = await rig.task('high/1/1000/10', { priority: 'CRITICAL' });
  const worker = await rig.worker();
  const [lowEvents, highEvents] = await Promise.all([
    rig.eventsUntil(low.jobId, ends),
    rig.eventsUntil(high.jobId, ends),
  ]);
  expect(highEvents[0]?.at).toBeLessThanOrEqual(lowEvents[0]?.at ?? 0);
  await worker.drain(0);
});

test('progress never falls, and announcements have the state of the worker', async () => {
  const progress: { jobId: string; processedMs: number; totalMs: number | null; stage: string }[] = [];
  const announced: WorkerAnnouncement[] = [];
  const live = subscribeLive(rig.nc, {
    onEvent: () => undefined,
    onProgress: (message) => progress.push(message),
    onAnnouncement: (announcement) => announced.push(announcement),
    onMalformed: (_, error) => {
      throw error;
    },
  });
  const worker = await rig.worker({ name: 'desk' });
  const task = await rig.task('progress/20/1000/60');
  await rig.eventsUntil(task.jobId, ends);
  await worker.drain(1_000);
  await eventually(
    () => announced.some(({ status }) => status === 'DRAINING'),
    'the worker announces that it drains',
  );
  live.stop();

  const processed = progress
    .filter((progress) => progress.jobId === task.jobId)
    .map((progress) => progress.processedMs);
  expect(processed.length).toBeGreaterThan(2);
  expect(processed).toEqual(processed.toSorted((left, right) => left - right));
  const own = announced.filter(({ workerId }) => workerId === worker.workerId);
  expect(own.map(({ status }) => status)).toEqual(expect.arrayContaining(['IDLE', 'BUSY', 'DRAINING']));
  expect(own.find(({ status }) => status === 'BUSY')).toMatchObject({
    jobs: [task.jobId],
    hostname: 'desk',
  });
  expect(own.at(-1)).toMatchObject({
    processed: 1,
    failed: 0,
    models: [{ name: 'script', isDefault: true }],
  });
});
