import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { jetstreamManager } from '@nats-io/jetstream';
import type { EventMessage, TaskMessage } from '../../src/contract/messages.ts';
import { STREAMS } from '../../src/contract/subjects.ts';
import { connectToNats, type NatsConnection } from '../../src/messaging/connection.ts';
import { readEvents } from '../../src/messaging/event-reader.ts';
import { ensureLanes, ensureStreams } from '../../src/messaging/streams.ts';
import { laneState, publishTask } from '../../src/messaging/tasks.ts';
import { createLogger, type Logger } from '../../src/observability/logger.ts';
import { createAudioPipeline } from '../../worker/audio/audio-pipeline.ts';
import type { TranscriptionEngine } from '../../worker/engines/engine.ts';
import type { WorkerTiming } from '../../worker/timing.ts';
import { type RunningWorker, startWorker, type WorkerOptions } from '../../worker/worker.ts';
import { aTask } from './builders.ts';
import { startTestNats, type TestNats } from './nats.ts';
import { createEngine } from './scripted-engine.mjs';

/** The times of the protocol, shortened so that takeovers and fences happen within seconds. */
const QUICK_TIMING: Partial<WorkerTiming> = {
  heartbeatMs: 400,
  fenceMs: 2_500,
  publishTimeoutMs: 1_000,
  publishRetryMs: 100,
  activityCheckMs: 600,
  livenessMs: 150,
  idleMs: 200,
};
export const QUICK_ACK_WAIT_MS = 1_500;

/** A nats-server with streams and lanes, and workers of the scripted engine on it. */
export interface WorkerRig {
  readonly nats: TestNats;
  readonly nc: NatsConnection;
  readonly log: Logger;
  readonly directory: string;
  worker(options?: Partial<WorkerOptions>): Promise<RunningWorker & { readonly connection: NatsConnection }>;
  /** A worker as a process of its own, to kill and freeze; resolves when it takes tasks. */
  spawnWorker(): Promise<ChildProcess>;
  /** Publishes a task for a script of the scripted engine, such as `seed/4/1000/50`. */
  task(script: string, change?: Partial<TaskMessage>): Promise<TaskMessage>;
  /** All events of a job that are stored now. */
  eventsOf(jobId: string): Promise<readonly EventMessage[]>;
  /** The events of a job up to the first one that meets the condition. */
  eventsUntil(
    jobId: string,
    condition: (event: EventMessage) => boolean,
    withinMs?: number,
  ): Promise<readonly EventMessage[]>;
  /** Resolves when no task of the lane waits or is held. */
  laneEmpty(priority?: TaskMessage['priority']): Promise<void>;
  stop(): Promise<void>;
}

export async function startWorkerRig(): Promise<WorkerRig> {
  const nats = await startTestNats();
  const log = createLogger('test', process.env.LOG_LEVEL ?? 'silent');
  const nc = await connectToNats({ url: nats.url, name: 'test', log });
  await ensureStreams(nc, log);
  await ensureLanes(nc, 'whisper', { concurrency: 50, ackWaitMs: QUICK_ACK_WAIT_MS });
  const directory = await mkdtemp(join(tmpdir(), 'transcription-worker-'));
  const stops: (() => Promise<void>)[] = [];

  async function eventsUntil(
    jobId: string,
    condition: (event: EventMessage) => boolean,
    withinMs = 20_000,
  ): Promise<readonly EventMessage[]> {
    const signal = AbortSignal.timeout(withinMs);
    const events: EventMessage[] = [];
    for await (const read of readEvents(nc, { fromSequence: 1, signal })) {
      if (read.jobId !== jobId || read.event === null) continue;
      events.push(read.event);
      if (condition(read.event)) return events;
    }
    throw new Error(`no such event of ${jobId} among ${events.map((event) => event.type).join(', ')}`);
  }

  return {
    nats,
    nc,
    log,
    directory,
    async worker(options = {}) {
      const connection = await connectToNats({ url: nats.url, name: 'worker', log });
      const engine: TranscriptionEngine = await createEngine({ env: {}, log });
      const running = await startWorker({
        nc: connection,
        log,
        engine,
        audio: createAudioPipeline({ allowedNetworks: [], ffmpegPath: '' }),
        slots: 1,
        pieceMs: 60_000,
        directory,
        version: 'test',
        timing: QUICK_TIMING,
        ...options,
      });
      stops.push(async () => {
        if (!connection.isClosed()) await running.drain(0);
        await connection.close();
      });
      return { ...running, connection };
    },
    async spawnWorker() {
      const worker = await spawnWorker(nats.url, directory);
      stops.push(() => endWorker(worker));
      return worker;
    },
    async task(script, change = {}) {
      const task = aTask({
        jobId: `job_${randomUUID().replaceAll('-', '')}`,
        audio: { ...aTask().audio, url: `https://script.test/${script}` },
        ...change,
      });
      await publishTask(nc, task);
      return task;
    },
    eventsOf: (jobId) => storedEvents(nc, jobId),
    eventsUntil,
    async laneEmpty(priority = 'NORMAL') {
      await eventually(async () => {
        const { pending, ackPending } = await laneState(nc, 'whisper', priority);
        return pending + ackPending === 0;
      }, 'the lane is empty');
    },
    async stop() {
      await Promise.all(stops.map((stop) => stop()));
      await nc.close();
      await nats.dispose();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A worker with short times as a process of its own; resolves when it takes tasks. */
export async function spawnWorker(natsUrl: string, directory: string): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('./worker-process.ts', import.meta.url));
  const worker = fork(program, [natsUrl, directory, JSON.stringify(QUICK_TIMING)], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await once(worker, 'message');
  return worker;
}

/** Kills the worker if it still runs, and waits for its end. */
export async function endWorker(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  worker.kill('SIGKILL');
  await once(worker, 'exit');
}

/** The events of a job that EVENTS has now. */
export async function storedEvents(nc: NatsConnection, jobId: string): Promise<readonly EventMessage[]> {
  const events: EventMessage[] = [];
  const manager = await jetstreamManager(nc, { checkAPI: false });
  const { state } = await manager.streams.info(STREAMS.events);
  if (state.messages === 0) return events;
  const read = new AbortController();
  for await (const next of readEvents(nc, { fromSequence: 1, signal: read.signal })) {
    if (next.jobId === jobId && next.event !== null) events.push(next.event);
    if (next.pending === 0) read.abort();
  }
  return events;
}

/** Polls until the condition holds. @throws Error when it does not within the time. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string,
  withinMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(20);
  }
}

/** The segments of all events of a job, in order. */
export function segmentsOf(events: readonly EventMessage[]) {
  return events.flatMap((event) => (event.type === 'segments' ? event.segments : []));
}

export function typesOf(events: readonly EventMessage[]): readonly string[] {
  return events
    .map((event) => event.type)
    .filter((type, at, all) => type !== 'segments' || all[at - 1] !== type);
}

export const ends = (event: EventMessage): boolean =>
  ['completed', 'failed', 'canceled'].includes(event.type);
