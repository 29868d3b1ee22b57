import { JOB_PRIORITIES } from '../domain/vocabulary.ts';
import type { NatsConnection } from '../messaging/connection.ts';
import { eventAt, readEvents } from '../messaging/event-reader.ts';
import type { NatsSession } from '../messaging/session.ts';
import { ensureLanes, ensureStreams } from '../messaging/streams.ts';
import { tasksBelowAckFloor } from '../messaging/tasks.ts';
import { Loop } from '../process/loop.ts';
import { aborted } from '../process/wait.ts';
import { readOffset } from '../storage/projector-offset.ts';
import type { QueueStore } from '../storage/queue-store.ts';
import { Admission, type AdmissionOptions } from './admission.ts';
import { findStart } from './projection-start.ts';
import { Projector } from './projector.ts';
import { type OrphanTask, Reconciler, type ReconcilerOptions } from './reconciler.ts';
import { createSweeps, type SweepOptions } from './sweep.ts';

export interface LeaderWorkOptions
  extends AdmissionOptions,
    SweepOptions,
    Omit<ReconcilerOptions, 'findOrphans'> {
  readonly session: NatsSession;
  readonly queues: QueueStore;
  /** Copies of each stream; see `ensureStreams`. */
  readonly replicas?: number | undefined;
  /** How long a lane waits for a silent worker; 30 s except in tests. */
  readonly ackWaitMs?: number | undefined;
}

const PROJECTION_PAUSE_MS = 1000;

/**
 * Everything that one server does for all. The loops over Postgres run throughout. The projector starts again with
 * every connection to NATS, because a broker that comes back may have lost its streams.
 */
export class LeaderWork {
  readonly #options: LeaderWorkOptions;
  readonly admission: Admission;
  readonly #reconciler: Reconciler;
  readonly #sweeps: readonly Loop[];
  /** The connection whose streams and lanes exist. */
  #ready: NatsConnection | null = null;

  constructor(options: Omit<LeaderWorkOptions, 'brokerReady'>) {
    const brokerReady = () => options.session.connected && this.#ready !== null;
    this.#options = { ...options, brokerReady };
    this.admission = new Admission(this.#options);
    this.#reconciler = new Reconciler({ ...this.#options, findOrphans: () => this.#findOrphans() });
    this.#sweeps = createSweeps(this.#options);
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.admission.run(signal),
      this.#reconciler.run(signal),
      ...this.#sweeps.map((loop) => loop.run(signal)),
      this.#projectEachConnection(signal),
    ]);
  }

  /** Brings the lanes to the settings of their queues. */
  async ensureLanes(): Promise<void> {
    const { session, queues, ackWaitMs } = this.#options;
    for (const queue of await queues.all()) {
      // JetStream reads 0 as "no limit"; admission is what stops a queue.
      const concurrency = Math.max(1, queue.concurrency);
      const patience = ackWaitMs === undefined ? {} : { ackWaitMs };
      await ensureLanes(session.connection, queue.name, { concurrency, ...patience });
    }
  }

  async #projectEachConnection(signal: AbortSignal): Promise<void> {
    const { session, log } = this.#options;
    let current: AbortController | null = null;
    let running: Promise<void> = Promise.resolve();
    const listening = session.onConnected((nc) => {
      current?.abort();
      current = new AbortController();
      this.#ready = null;
      const isCurrent = AbortSignal.any([signal, current.signal]);
      const step = () => this.#project(nc, isCurrent);
      const loop = new Loop({ name: 'projector', intervalMs: PROJECTION_PAUSE_MS, log, step });
      // Never two projectors at once.
      running = running.then(() => loop.run(isCurrent));
    });
    await aborted(signal);
    listening.stop();
    await running;
  }

  async #project(nc: NatsConnection, signal: AbortSignal): Promise<void> {
    const { log, store, database, queues, replicas } = this.#options;
    const { eventsCreatedAt } = await ensureStreams(nc, log, { replicas });
    await this.ensureLanes();
    const stored = await readOffset(database);
    const start = await findStart(stored, eventsCreatedAt, (sequence) => eventAt(nc, sequence));
    if (start.isNewEpoch) {
      await store.transaction((jobs) => jobs.moveOffset(stored, start.offset));
      await this.#reconciler.republishAll(signal);
    }
    // Not earlier: sequences of the former epoch mean nothing in this one.
    this.#ready = nc;
    for (const queue of await queues.all()) this.admission.wake(queue.name);
    this.admission.wakeTimer();

    const ended = new AbortController();
    const alive = AbortSignal.any([signal, ended.signal]);
    const events = readEvents(nc, { fromSequence: start.offset.sequence + 1, signal: alive });
    try {
      await new Projector(this.#options, start.offset).run(events, alive);
    } finally {
      // Ends the reader of a projector that failed.
      ended.abort();
    }
  }

  async #findOrphans(): Promise<readonly OrphanTask[]> {
    const { session, queues } = this.#options;
    const found: OrphanTask[] = [];
    for (const { name } of await queues.all()) {
      for (const priority of JOB_PRIORITIES) {
        const tasks = await tasksBelowAckFloor(session.connection, name, priority);
        found.push(...tasks.map(({ sequence, task }) => ({ sequence, jobId: task?.jobId ?? null })));
      }
    }
    return found;
  }
}
