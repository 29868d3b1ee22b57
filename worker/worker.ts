import { rm } from 'node:fs/promises';
import { v7 as uuidv7 } from 'uuid';
import { toId } from '../src/domain/ids.ts';
import { DEFAULT_MODEL } from '../src/domain/transcription-options.ts';
import { queueOf } from '../src/domain/vocabulary.ts';
import type { NatsConnection } from '../src/messaging/connection.ts';
import type { Delivery } from '../src/messaging/pull-task.ts';
import type { Logger } from '../src/observability/logger.ts';
import { sleep } from '../src/process/wait.ts';
import { Announcer } from './announcer.ts';
import type { AudioPipeline } from './audio/audio-pipeline.ts';
import type { TranscriptionEngine } from './engines/engine.ts';
import { PullLoop } from './pull-loop.ts';
import { runTask, type TaskEnd } from './run/run-task.ts';
import { SpeedMeter } from './run/speed-meter.ts';
import { prepareWorkDirectory } from './run/work-directory.ts';
import { WORKER_TIMING, type WorkerTiming } from './timing.ts';
import type { WorkerContext } from './worker-context.ts';

export interface WorkerOptions {
  readonly nc: NatsConnection;
  readonly log: Logger;
  readonly engine: TranscriptionEngine;
  readonly audio: AudioPipeline;
  readonly slots: number;
  readonly pieceMs: number;
  /** For the files of runs; each worker process creates a folder of its own in it. */
  readonly directory: string;
  readonly name?: string | undefined;
  readonly version: string;
  readonly timing?: Partial<WorkerTiming> | undefined;
}

export interface RunningWorker {
  readonly workerId: string;
  /**
   * Takes no more tasks, lets runs finish within the grace period, and then releases the rest. Settles when nothing of
   * the worker is running; closing the connection is up to the caller.
   */
  drain(graceMs: number): Promise<void>;
}

/** Starts a worker that takes tasks. */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { nc, engine, slots } = options;
  const workerId = toId('Worker', uuidv7());
  const log = options.log.child({ workerId, queue: queueOf(engine.engine) });
  const timing = { ...WORKER_TIMING, ...options.timing };
  const stopPulling = new AbortController();
  const release = new AbortController();
  const speed = new SpeedMeter();
  const jobs = new Map<Delivery, string>();
  const counts = { processed: 0, failed: 0 };
  const models = await engine.models();
  const context: WorkerContext = {
    nc,
    log,
    workerId,
    engine,
    audio: options.audio,
    defaultModel: models.find((model) => model.isDefault)?.name ?? DEFAULT_MODEL,
    speed,
    timing,
    workDirectory: await prepareWorkDirectory(options.directory),
    pieceMs: options.pieceMs,
    release: release.signal,
  };
  const announcer = new Announcer({
    nc,
    workerId,
    name: options.name,
    version: options.version,
    engine,
    models,
    slots,
    everyMs: timing.announceMs,
    state: () => ({
      status: stopPulling.signal.aborted ? 'DRAINING' : loop.busy > 0 ? 'BUSY' : 'IDLE',
      busy: loop.busy,
      ...counts,
      realtimeFactor: speed.overall,
      jobs: [...jobs.values()],
    }),
  });
  const loop = new PullLoop({
    nc,
    log,
    queue: queueOf(engine.engine),
    slots,
    timing,
    // While the circuit breaker is not closed, one job is the probe; others would only lose an attempt.
    isAvailable: () =>
      engine.available && ((engine.breakerState ?? 'closed') === 'closed' || loop.busy === 0),
    onChange: () => announcer.announce(),
    run: async (delivery) => {
      jobs.set(delivery, delivery.task.jobId);
      try {
        count(await runTask(delivery, context));
      } catch (error) {
        log.error({ err: error, jobId: delivery.task.jobId }, 'task could not be handled');
      } finally {
        jobs.delete(delivery);
      }
    },
  });

  function count(end: TaskEnd): void {
    if (end === 'completed') counts.processed += 1;
    if (end === 'failed') counts.failed += 1;
  }

  announcer.start();
  const pulling = loop.pull(stopPulling.signal);
  pulling.catch((error: unknown) => log.fatal({ err: error }, 'the worker takes no tasks any more'));
  log.info({ slots, engine: engine.engine, device: engine.device }, 'worker takes tasks');

  return {
    workerId,
    async drain(graceMs) {
      stopPulling.abort();
      announcer.announce();
      await pulling;
      const over = new AbortController();
      const idle = loop.idle().then(() => over.abort());
      await sleep(graceMs, over.signal);
      release.abort();
      await idle;
      announcer.stop();
      await engine.close();
      await rm(context.workDirectory, { recursive: true, force: true });
      log.info('worker stopped');
    },
  };
}
