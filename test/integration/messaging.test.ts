import { randomUUID } from 'node:crypto';
import { jetstreamManager, StorageType } from '@nats-io/jetstream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encode } from '../../src/contract/codec.ts';
import {
  eventSubject,
  laneConsumer,
  laneSubject,
  progressSubject,
  STREAMS,
  wakeSubject,
} from '../../src/contract/subjects.ts';
import { appendEvent, isRunActive, readChainEnd } from '../../src/messaging/chain.ts';
import { connectToNats, type NatsConnection } from '../../src/messaging/connection.ts';
import { clearControl, publishCancel, readControl, watchControl } from '../../src/messaging/control.ts';
import { type ReadEvent, readEvents } from '../../src/messaging/event-reader.ts';
import { publishProgress, readProgress, subscribeLive } from '../../src/messaging/live.ts';
import { PullTimeoutError, pullTask } from '../../src/messaging/pull-task.ts';
import { ensureLanes, ensureStreams, StreamConfigError } from '../../src/messaging/streams.ts';
import {
  deleteTask,
  findTask,
  laneState,
  publishTask,
  tasksBelowAckFloor,
} from '../../src/messaging/tasks.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { aStartedEvent, aTask, eventFields } from '../support/builders.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { eventually } from '../support/worker-rig.ts';

const log = createLogger('test', 'silent');
let nats: TestNats;
let nc: NatsConnection;
beforeAll(async () => {
  nats = await startTestNats();
  nc = await connectToNats({ url: nats.url, name: 'test', log });
  await ensureStreams(nc, log);
  await ensureLanes(nc, 'whisper', { concurrency: 10 });
});
afterAll(async () => {
  await nc.close();
  await nats.dispose();
});

const newJobId = () => `job_${randomUUID().replaceAll('-', '')}`;
const progress = { v: 2, attempt: 1, at: 1, stage: 'FETCHING', processedMs: 5, totalMs: null } as const;
const unmeasured = { realtimeFactor: null, estimated: false, etaMs: null };

test('streams are created once, and a second server gets the same epoch', async () => {
  const first = await ensureStreams(nc, log);
  expect(await ensureStreams(nc, log)).toEqual(first);
  expect(Date.parse(first.eventsCreatedAt)).toBeGreaterThan(0);
});

test('a stream with another configuration is refused, with the fields that differ', async () => {
  const other = await startTestNats();
  const connection = await connectToNats({ url: other.url, name: 'test', log });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({
    name: STREAMS.events,
    subjects: [eventSubject('*')],
    storage: StorageType.Memory,
  });
  await expect(ensureStreams(connection, log)).rejects.toThrow(StreamConfigError);
  await expect(ensureStreams(connection, log)).rejects.toThrow(/EVENTS has an unexpected.*storage/);
  await connection.close();
  await other.dispose();
});

test('a lane’s concurrency changes while it exists', async () => {
  await ensureLanes(nc, 'whisper', { concurrency: 3 });
  const manager = await jetstreamManager(nc);
  const info = await manager.consumers.info(STREAMS.tasks, laneConsumer('whisper', 'NORMAL'));
  expect(info.config.max_ack_pending).toBe(3);
  await ensureLanes(nc, 'whisper', { concurrency: 10 });
});

test('a task that is published twice is in its lane once, and wakes workers', async () => {
  const woken: string[] = [];
  const wake = nc.subscribe(wakeSubject('whisper'), {
    callback: (_, message) => void woken.push(message.subject),
  });
  const task = aTask({ jobId: newJobId() });
  const first = await publishTask(nc, task);
  const second = await publishTask(nc, task);
  expect(second).toEqual({ sequence: first.sequence, duplicate: true });
  expect(await findTask(nc, first.sequence)).toEqual(task);
  expect(await laneState(nc, 'whisper', 'NORMAL')).toMatchObject({ pending: 1, ackPending: 0 });
  await eventually(() => woken.length > 0, 'workers are woken');
  expect(woken[0]).toBe(wakeSubject('whisper', 'NORMAL'));
  wake.unsubscribe();

  expect(await deleteTask(nc, first.sequence)).toBe(true);
  expect(await deleteTask(nc, first.sequence)).toBe(false);
  expect(await findTask(nc, first.sequence)).toBeNull();
  expect(await pullTask(nc, 'whisper', 'NORMAL')).toBeNull();
});

test('a pulled task is kept by heartbeats, given back by nak, and removed by ack', async () => {
  const task = aTask({ jobId: newJobId(), priority: 'HIGH' });
  const { sequence } = await publishTask(nc, task);
  const first = await pullTask(nc, 'whisper', 'HIGH');
  expect(first).toMatchObject({ task, sequence, deliveredCount: 1 });
  expect(await first?.heartbeat()).toBe(true);
  expect(await laneState(nc, 'whisper', 'HIGH')).toMatchObject({ pending: 0, ackPending: 1 });
  await first?.nak();
  // The server may get the pull before it has handled the nak.
  const pulls: Awaited<ReturnType<typeof pullTask>>[] = [];
  await eventually(async () => {
    pulls.push(await pullTask(nc, 'whisper', 'HIGH'));
    return pulls.at(-1) !== null;
  }, 'it is delivered again');
  const second = pulls.at(-1);
  expect(second).toMatchObject({ task, deliveredCount: 2 });
  expect(await second?.ack()).toBe(true);
  expect(await findTask(nc, sequence)).toBeNull();
  expect(await tasksBelowAckFloor(nc, 'whisper', 'HIGH')).toEqual([]);
});

test('a task that cannot be read is taken off its lane', async () => {
  nc.publish(laneSubject('whisper', 'LOW'), '{"v":99}');
  await eventually(async () => (await laneState(nc, 'whisper', 'LOW')).pending === 1, 'it is in the lane');
  await expect(pullTask(nc, 'whisper', 'LOW')).rejects.toThrow(/message field v/);
  await eventually(async () => (await laneState(nc, 'whisper', 'LOW')).ackPending === 0, 'it is removed');
});

test('a pull from a lane that does not exist yet gives no task', async () => {
  // Old servers do not answer at all; new ones answer with status 503.
  const answer = await pullTask(nc, 'deepgram', 'LOW', 200).catch((error: unknown) => error);
  expect(answer === null || answer instanceof PullTimeoutError).toBe(true);
});

test('a chain accepts an event only behind the one that its writer expects', async () => {
  const jobId = newJobId();
  expect(await readChainEnd(nc, jobId)).toBeNull();
  const started = aStartedEvent({ jobId, runId: 'a' });
  const first = await appendEvent(nc, started, 0);
  expect(first).toMatchObject({ accepted: true, duplicate: false });
  expect(await appendEvent(nc, aStartedEvent({ jobId, runId: 'b' }), 0)).toEqual({ accepted: false });
  const last = await readChainEnd(nc, jobId);
  expect(last).toEqual({ event: started, malformed: null, sequence: first.accepted ? first.sequence : null });
  const next = { ...eventFields({ jobId, runId: 'b', ordinal: 1 }), type: 'canceled' } as const;
  expect(await appendEvent(nc, next, last?.sequence ?? 0)).toMatchObject({ accepted: true });
});

test('an event whose answer was lost gets its first place when it is sent again', async () => {
  const jobId = newJobId();
  const event = aStartedEvent({ jobId });
  const first = await appendEvent(nc, event, 0);
  const second = await appendEvent(nc, event, 0);
  expect(second).toEqual({ ...first, duplicate: true });
});

test('of many writers that race for one place, exactly one succeeds', async () => {
  const jobId = newJobId();
  const writers = Array.from({ length: 20 }, (_, index) => aStartedEvent({ jobId, runId: `w${index}` }));
  const results = await Promise.all(writers.map((event) => appendEvent(nc, event, 0)));
  expect(results.filter(({ accepted }) => accepted)).toHaveLength(1);
});

test('a chain that ends in an unknown version is a value that says so, with its sequence', async () => {
  const jobId = newJobId();
  nc.publish(eventSubject(jobId), '{"v":99}');
  await nc.flush();
  const end = await readChainEnd(nc, jobId);
  expect(end).toMatchObject({ event: null, malformed: { message: expect.stringMatching(/field (type|v)/) } });
  expect(end?.sequence).toBeGreaterThan(0);
});

test('a cancel reaches the worker that runs now, is stored for one that starts later, and can be removed', async () => {
  const jobId = newJobId();
  const received: string[] = [];
  const watching = watchControl(nc, jobId, (message) => received.push(message.action));
  const message = { v: 2, jobId, action: 'cancel', at: 5, reason: 'wrong file' } as const;
  await publishCancel(nc, message);
  await eventually(() => received.length === 1, 'the cancel is received');
  expect(await readControl(nc, jobId)).toEqual(message);
  await clearControl(nc, jobId);
  expect(await readControl(nc, jobId)).toBeNull();
  watching.stop();
});

test('live readers get events and progress, and malformed messages separately', async () => {
  const jobId = newJobId();
  const seen: unknown[] = [];
  const malformed: string[] = [];
  const live = subscribeLive(nc, {
    onEvent: (event) => event.jobId === jobId && seen.push(event.type),
    onProgress: (progress) => progress.jobId === jobId && seen.push(progress.processedMs),
    onAnnouncement: () => undefined,
    onMalformed: (subject) => malformed.push(subject),
  });
  const first = await appendEvent(nc, aStartedEvent({ jobId }), 0);
  const sequence = first.accepted ? first.sequence : 0;
  await appendEvent(nc, { ...eventFields({ jobId }), type: 'canceled' }, sequence);
  publishProgress(nc, { ...progress, ...unmeasured, jobId, runId: 'i' });
  nc.publish(eventSubject('broken'), 'x');
  await eventually(() => seen.length === 3 && malformed.length === 1, 'everything is received');
  expect(seen).toEqual(['started', 'canceled', 5]);
  expect(await readProgress(nc, jobId)).toMatchObject({ processedMs: 5 });
  live.stop();
});

test('events and progress that name another job than their subject are refused', async () => {
  const jobId = newJobId();
  const foreign = aStartedEvent({ jobId: newJobId() });
  const malformed: string[] = [];
  const seen: unknown[] = [];
  const live = subscribeLive(nc, {
    onEvent: (event) => event.jobId === foreign.jobId && seen.push(event),
    onProgress: (message) => message.jobId === foreign.jobId && seen.push(message),
    onAnnouncement: () => undefined,
    onMalformed: (subject, error) => malformed.push(`${subject}: ${error.message}`),
  });
  nc.publish(eventSubject(jobId), encode(foreign));
  nc.publish(
    progressSubject(jobId),
    encode({ ...progress, ...unmeasured, jobId: foreign.jobId, runId: 'i' }),
  );
  await eventually(() => malformed.length === 2, 'both are refused');
  live.stop();

  const reason = `message field jobId: ${foreign.jobId} on a subject of ${jobId}`;
  expect(malformed.toSorted()).toEqual([
    `transcribe.live.events.${jobId}: ${reason}`,
    `transcribe.live.progress.${jobId}: ${reason}`,
  ]);
  expect(seen).toEqual([]);
  expect(await readChainEnd(nc, jobId)).toMatchObject({ event: null, malformed: { message: reason } });
  expect(await readProgress(nc, jobId)).toBeNull();
});

test('an event of an unknown type is read as opaque, and the chain goes on behind it', async () => {
  const jobId = newJobId();
  const paused = { ...eventFields({ jobId, ordinal: 1 }), type: 'paused' };
  nc.publish(eventSubject(jobId), encode(paused));
  await nc.flush();
  const end = await readChainEnd(nc, jobId);
  expect(end?.event).toEqual({ ...paused, type: 'opaque', unknownType: 'paused' });
  const next = { ...eventFields({ jobId, ordinal: 2 }), type: 'canceled' } as const;
  expect(await appendEvent(nc, next, end?.sequence ?? 0)).toMatchObject({ accepted: true });
});

test('a run is active by its progress, and not by that of a former run', async () => {
  const jobId = newJobId();
  const silent = isRunActive(nc, { jobId, runId: 'new' }, 300);
  publishProgress(nc, { ...progress, ...unmeasured, jobId, runId: 'old' });
  expect(await silent).toBe(false);
  const active = isRunActive(nc, { jobId, runId: 'new' }, 5_000);
  publishProgress(nc, { ...progress, ...unmeasured, jobId, runId: 'new' });
  expect(await active).toBe(true);
});

test('reading all events survives a killed nats-server, and leaves no consumer behind', async () => {
  const jobId = newJobId();
  const stop = new AbortController();
  const read: ReadEvent[] = [];
  const reading = (async () => {
    for await (const event of readEvents(nc, { fromSequence: 1, signal: stop.signal })) {
      if (event.jobId === jobId || event.jobId === 'broken') read.push(event);
    }
  })();
  const first = await appendEvent(nc, aStartedEvent({ jobId }), 0);
  await eventually(() => read.length >= 2, 'the earlier events are read');
  expect(read[0]).toMatchObject({ jobId: 'broken', event: null, messageId: '' });
  expect(read[0]?.malformed?.message).toMatch(/JSON/);

  await nats.kill();
  await nats.restart();
  await appendEvent(nc, { ...eventFields({ jobId }), type: 'canceled' }, first.accepted ? first.sequence : 0);
  await eventually(() => read.length === 3, 'the later event is read', 30_000);
  expect(read.map((event) => event.event?.type ?? null)).toEqual([null, 'started', 'canceled']);
  stop.abort();
  await reading;
  const manager = await jetstreamManager(nc);
  expect(await manager.consumers.list(STREAMS.events).next()).toEqual([]);
});
