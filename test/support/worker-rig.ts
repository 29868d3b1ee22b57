import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FactMessage, Order } from '../../src/contract/messages.ts';
import { connectToNats, type NatsConnection } from '../../src/messaging/connection.ts';
import { readFacts } from '../../src/messaging/event-reader.ts';
import { laneState, publishOrder } from '../../src/messaging/tasks.ts';
import { ensureLanes, ensureStreams } from '../../src/messaging/streams.ts';
import { createLogger, type Logger } from '../../src/observability/logger.ts';
import { createAudioPipeline } from '../../worker/audio/audio-pipeline.ts';
import type { TranscriptionEngine } from '../../worker/engines/engine.ts';
import type { WorkerTiming } from '../../worker/timing.ts';
import { type RunningWorker, startWorker, type WorkerOptions } from '../../worker/worker.ts';
import { anOrder } from './builders.ts';
import { startTestNats, type TestNats } from './nats.ts';
import { createEngine } from './scripted-engine.mjs';

/** The protocol's times, shortened so that a test sees takeovers and fences within seconds. */
export const QUICK_TIMING: Partial<WorkerTiming> = {
  heartbeatMs: 400,
  fenceMs: 2_500,
  publishTimeoutMs: 1_000,
  publishRetryMs: 100,
  lookForLifeMs: 600,
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
  /** A worker as a process of its own, to be killed and frozen; resolves when it takes orders. */
  spawnWorker(): Promise<ChildProcess>;
  /** Publishes an order for a script of the scripted engine, such as `seed/4/1000/50`. */
  order(script: string, change?: Partial<Order>): Promise<Order>;
  /** All facts of a job that are stored now. */
  factsOf(jobId: string): Promise<readonly FactMessage[]>;
  /** Facts of a job, once one of them fulfils the condition. */
  factsUntil(
    jobId: string,
    condition: (fact: FactMessage) => boolean,
    withinMs?: number,
  ): Promise<readonly FactMessage[]>;
  /** Once no order of the lane waits or is held. */
  laneEmpty(priority?: Order['priority']): Promise<void>;
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

  async function factsUntil(
    jobId: string,
    condition: (fact: FactMessage) => boolean,
    withinMs = 20_000,
  ): Promise<readonly FactMessage[]> {
    const signal = AbortSignal.timeout(withinMs);
    const facts: FactMessage[] = [];
    for await (const read of readFacts(nc, { fromSequence: 1, signal })) {
      if (read.jobId !== jobId || read.fact === null) continue;
      facts.push(read.fact);
      if (condition(read.fact)) return facts;
    }
    throw new Error(`no such fact of ${jobId}; there are ${facts.map((fact) => fact.type).join(', ')}`);
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
      const program = fileURLToPath(new URL('./worker-process.ts', import.meta.url));
      const child = fork(program, [nats.url, directory, JSON.stringify(QUICK_TIMING)], {
        execArgv: ['--import', 'tsx'],
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      stops.push(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        child.kill('SIGKILL');
        await once(child, 'exit');
      });
      await once(child, 'message');
      return child;
    },
    async order(script, change = {}) {
      const order = anOrder({
        jobId: `job_${randomUUID().replaceAll('-', '')}`,
        audio: { ...anOrder().audio, url: `https://script.test/${script}` },
        ...change,
      });
      await publishOrder(nc, order);
      return order;
    },
    async factsOf(jobId) {
      const done = new AbortController();
      const facts: FactMessage[] = [];
      for await (const read of readFacts(nc, { fromSequence: 1, signal: done.signal })) {
        if (read.jobId === jobId && read.fact !== null) facts.push(read.fact);
        if (read.pending === 0) done.abort();
      }
      return facts;
    },
    factsUntil,
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

/** Polls until the condition holds. @throws Error when it does not within the time. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string,
  withinMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Segments of all facts of a job, as they lie in the transcript. */
export function segmentsOf(facts: readonly FactMessage[]) {
  return facts.flatMap((fact) => (fact.type === 'segments' ? fact.segments : []));
}

export function typesOf(facts: readonly FactMessage[]): readonly string[] {
  return facts
    .map((fact) => fact.type)
    .filter((type, at, all) => type !== 'segments' || all[at - 1] !== type);
}

export const ends = (fact: FactMessage): boolean => ['completed', 'failed', 'canceled'].includes(fact.type);
