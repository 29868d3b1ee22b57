import { jetstreamManager } from '@nats-io/jetstream';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { STREAMS } from '../../src/contract/subjects.ts';
import { deleteTask, laneState } from '../../src/messaging/tasks.ts';
import { type FaultRig, startFaultRig, textsOf } from '../support/fault-rig.ts';
import { endWorker, eventually, typesOf } from '../support/worker-rig.ts';

/** NATS is down, loses its data, or has no disk space left. */
let rig: FaultRig;
beforeEach(async () => {
  rig = await startFaultRig();
});
afterEach(() => rig?.stop());

test('a job that is submitted while NATS is down is accepted, and runs once NATS is back', async () => {
  const script = 'patient/6/1000/20';
  await rig.spawnWorker();
  await rig.nats.kill();
  const id = await rig.submit(script);
  expect(await rig.jobs.find(id)).toMatchObject({ status: 'QUEUED' });
  await rig.nats.restart();

  expect(await rig.completedTexts(id)).toEqual(textsOf(script));
  expect((await rig.jobs.find(id))?.attempts).toHaveLength(1);
});

test('a run continues through a crash of nats-server, and its subscriber gets every segment once', async () => {
  const script = 'through/40/1000/80';
  await rig.spawnWorker();
  const id = await rig.submit(script);
  const texts: string[] = [];
  const seen = (async () => {
    for await (const event of rig.jobs.segments(id)) texts.push(...event.segments.map(({ text }) => text));
  })();
  await eventually(() => texts.length >= 4, 'the first segments are seen');
  await rig.nats.kill();
  await rig.nats.restart();
  await seen;

  expect(texts).toEqual(textsOf(script));
  expect((await rig.jobs.find(id))?.attempts).toMatchObject([{ outcome: 'COMPLETED' }]);
});

test('a cancel while NATS is down is stored, and sent once NATS is back', async () => {
  const worker = await rig.spawnWorker();
  const running = await rig.submit('canceled/400/1000/50');
  await rig.reaches(running, 3);
  const ordered = await rig.submit('ordered/400/1000/50');
  await taskOf(ordered);
  await rig.nats.kill();
  for (const id of [running, ordered]) {
    expect((await rig.jobs.cancel(id)).outcome).toBe('REQUESTED');
    expect((await rig.jobs.find(id))?.status).not.toBe('CANCELED');
  }
  await rig.nats.restart();

  for (const id of [running, ordered]) expect((await rig.jobs.finished(id)).status).toBe('CANCELED');
  expect((await rig.eventsOf(ordered)).filter((event) => event.type === 'started')).toEqual([]);
  await endWorker(worker);
});

test('when NATS loses its data, unfinished jobs run again and finished ones do not change', async () => {
  const scripts = { done: 'done/4/1000/20', running: 'running/60/1000/60', waiting: 'waiting/4/1000/20' };
  await rig.spawnWorker();
  const done = await rig.submit(scripts.done);
  await rig.jobs.finished(done);
  const before = await rig.jobs.find(done);
  const running = await rig.submit(scripts.running);
  await rig.reaches(running, 5);
  const waiting = await rig.submit(scripts.waiting);
  await rig.nats.dispose();
  await rig.nats.restart();

  expect(await rig.completedTexts(running)).toEqual(textsOf(scripts.running));
  expect(await rig.completedTexts(waiting)).toEqual(textsOf(scripts.waiting));
  expect(await rig.jobs.find(done)).toEqual(before);
  const [offset] = await rig.query('SELECT sequence FROM projector_offset');
  const { state } = await (await jetstreamManager(rig.nc)).streams.info(STREAMS.events);
  expect(Number(offset?.sequence)).toBe(state.last_seq);
});

async function taskOf(id: string, after = 0): Promise<number> {
  let sequence = 0;
  await eventually(async () => {
    const [row] = await rig.query('SELECT task_sequence FROM jobs WHERE id = $1', [id]);
    sequence = Number(row?.task_sequence ?? 0);
    return sequence > after;
  }, 'it has its task');
  return sequence;
}

test('a task that disappeared from its lane is published again', async () => {
  const script = 'vanished/4/1000/20';
  const id = await rig.submit(script);
  const first = await taskOf(id);
  await deleteTask(rig.nc, first);
  await taskOf(id, first);
  await rig.spawnWorker();

  expect(await rig.completedTexts(id)).toEqual(textsOf(script));
});

test('a job whose task was deleted while it ran continues after the loss of its worker', async () => {
  const script = 'stray/30/1000/60';
  const worker = await rig.spawnWorker();
  const id = await rig.submit(script);
  await rig.reaches(id, 4);
  await deleteTask(rig.nc, await taskOf(id));
  await endWorker(worker);
  await rig.spawnWorker();

  expect(await rig.completedTexts(id)).toEqual(textsOf(script));
});

test('a task whose publication was not recorded is published again, and its job runs once', async () => {
  const script = 'unnoted/4/1000/20';
  const id = await rig.submit(script);
  await taskOf(id);
  await rig.query(
    `UPDATE jobs SET task_sequence = NULL, admitted_at = now() - interval '1 minute' WHERE id = $1`,
    [id],
  );
  await taskOf(id);
  await rig.spawnWorker();

  expect(await rig.completedTexts(id)).toEqual(textsOf(script));
  await eventually(async () => {
    const { pending, ackPending } = await laneState(rig.nc, 'whisper', 'NORMAL');
    return pending + ackPending === 0;
  }, 'no task is left');
  expect((await rig.eventsOf(id)).filter((event) => event.type === 'started')).toHaveLength(1);
});

test('a job that ended does not run again while its events wait for the database', async () => {
  const id = await rig.submit('lagging/10/1000/60');
  await rig.spawnWorker();
  await rig.reaches(id, 2);
  const session = new pg.Client({ connectionString: rig.databaseUrl });
  await session.connect();
  // The projector waits for this lock, and so do all events.
  await session.query('BEGIN; SELECT 1 FROM projector_offset FOR UPDATE');
  await eventually(async () => (await rig.eventsOf(id)).at(-1)?.type === 'completed', 'the run ends');
  await eventually(async () => {
    const [row] = await rig.query('SELECT publication, status FROM jobs WHERE id = $1', [id]);
    return row?.status === 'PROCESSING' && row.publication > 1;
  }, 'the reconciler publishes its task again');
  await session.query('COMMIT');
  await session.end();

  expect((await rig.jobs.finished(id)).status).toBe('COMPLETED');
  expect(typesOf(await rig.eventsOf(id))).toEqual(['started', 'audio', 'segments', 'completed']);
});

test('a full disk stops jobs without losing any, and they continue once there is space', async () => {
  const script = 'full/40/1000/60';
  await rig.spawnWorker();
  const id = await rig.submit(script);
  await rig.reaches(id, 4);
  const manager = await jetstreamManager(rig.nc);
  const { config, state } = await manager.streams.info(STREAMS.events);
  await manager.streams.update(STREAMS.events, { max_bytes: state.bytes });
  const other = await rig.submit('meanwhile/4/1000/20');
  const stored = (await manager.streams.info(STREAMS.events)).state.last_seq;
  // By then the worker has stopped its run, as it could store no event for too long.
  await eventually(async () => {
    const { ack_floor, num_redelivered } = await manager.consumers.info(STREAMS.tasks, 'lane_whisper_normal');
    return num_redelivered > 0 && ack_floor.stream_seq === 0;
  }, 'the task is delivered again');
  expect((await manager.streams.info(STREAMS.events)).state.last_seq).toBe(stored);
  expect(await rig.jobs.find(other)).toMatchObject({ status: 'QUEUED' });
  await manager.streams.update(STREAMS.events, { max_bytes: config.max_bytes });

  expect(await rig.completedTexts(id)).toEqual(textsOf(script));
  expect((await rig.jobs.finished(other)).status).toBe('COMPLETED');
});
