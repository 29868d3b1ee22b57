import { JOB_PRIORITIES, type QueueName } from '../domain/vocabulary.ts';
import type { NatsConnection } from '../messaging/connection.ts';
import { eventAt, readEvents } from '../messaging/event-reader.ts';
import type { NatsSession } from '../messaging/session.ts';
import { ensureLanes, ensureStreams } from '../messaging/streams.ts';
import { tasksBelowAckFloor } from '../messaging/tasks.ts';
import { Loop } from '../process/loop.ts';
import { aborted, sleep } from '../process/wait.ts';
import { type ProjectorOffset, readOffset } from '../storage/projector-offset.ts';
import type { QueueStore } from '../storage/queue-store.ts';
import { Admission, type AdmissionOptions } from './admission.ts';
import { Projector } from './projector.ts';
import { Reconciler, type ReconcilerOptions } from './reconciler.ts';
import { type SweepOptions, sweep } from './sweep.ts';

export interface LeaderWorkOptions
  extends AdmissionOptions,
    SweepOptions,
    Omit<ReconcilerOptions, 'findOrphans'> {
  readonly session: NatsSession;
  readonly queues: QueueStore;
  /** Copies of each stream; see `ensureStreams`. */
  readonly replicas?: number | undefined;
  /** How long a lane waits for a silent worker; 30 s but in tests. */
  readonly ackWaitMs?: number | undefined;
}

const SWEEP_INTERVAL_MS = 60_000;

/**
 * Everything that one server does for all. The loops over Postgres run throughout; those over NATS begin anew with
 * every connection, because a broker that comes back may have lost its streams.
 */
export class LeaderWork {
  readonly #options: LeaderWorkOptions;
  readonly admission: Admission;
  readonly #reconciler: Reconciler;

  /** The connection whose streams and lanes are known to be there. */
  #ready: NatsConnection | null = null;

  constructor(options: Omit<LeaderWorkOptions, 'brokerReady'>) {
    const brokerReady = () => options.session.connected && this.#ready !== null;
    this.#options = { ...options, brokerReady };
    this.admission = new Admission(this.#options);
    this.#reconciler = new Reconciler({ ...this.#options, findOrphans: () => this.#findOrphans() });
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    const step = () => sweep(this.#options);
    const sweeper = new Loop({ name: 'sweep', intervalMs: SWEEP_INTERVAL_MS, log, step });
    await Promise.all([
      this.admission.run(signal),
      this.#reconciler.run(signal),
      sweeper.run(signal),
      this.#runSessions(signal),
    ]);
  }

  /** Brings the lanes to the queues' settings. */
  async ensureLanes(): Promise<void> {
    const nc = this.#options.session.connection;
    const { ackWaitMs } = this.#options;
    for (const queue of await this.#options.queues.all()) {
      await ensureLanes(nc, queue.name, {
        // JetStream reads 0 as "no limit"; admission is what stops a queue.
        concurrency: Math.max(1, queue.concurrency),
        ...(ackWaitMs === undefined ? {} : { ackWaitMs }),
      });
    }
  }

  async #runSessions(signal: AbortSignal): Promise<void> {
    let current: AbortController | null = null;
    let running: Promise<void> = Promise.resolve();
    const listening = this.#options.session.onConnected((nc) => {
      current?.abort();
      this.#ready = null;
      const mine = new AbortController();
      current = mine;
      const alive = AbortSignal.any([signal, mine.signal]);
      running = running.then(() => this.#runSession(nc, alive));
    });
    await aborted(signal);
    listening.stop();
    await running;
  }

  async #runSession(nc: NatsConnection, signal: AbortSignal): Promise<void> {
    const { log } = this.#options;
    for (let waitMs = 250; !signal.aborted; waitMs = Math.min(5000, waitMs * 2)) {
      try {
        await this.#project(nc, signal);
      } catch (err) {
        if (!signal.aborted) log.warn({ err }, 'reading events was interrupted; beginning again');
      }
      await sleep(waitMs, signal);
    }
  }

  async #project(nc: NatsConnection, signal: AbortSignal): Promise<void> {
    const { log, store, replicas } = this.#options;
    const { eventsCreatedAt } = await ensureStreams(nc, log, { replicas });
    await this.ensureLanes();
    const offset = await this.#offsetIn(nc, eventsCreatedAt);
    const projector = new Projector(this.#options, offset.offset);
    if (offset.isNewEpoch) {
      await store.transaction((jobs) => jobs.moveOffset(offset.former, offset.offset));
      await this.#reconciler.republishAll();
    }
    // Not before: sequences of the former epoch say nothing about this one's.
    this.#ready = nc;
    for (const queue of await this.#options.queues.all()) this.admission.wake(queue.name);
    this.admission.wakeTimer();
    await projector.run(readEvents(nc, { fromSequence: offset.offset.sequence + 1, signal }), signal);
  }

  /**
   * Where to go on reading. A stream made anew, or one that holds something else at the offset (a broker that lost
   * its last writes and used the sequence again), is a new epoch: it is read from its start, which is harmless as events
   * count once.
   */
  async #offsetIn(nc: NatsConnection, epoch: string) {
    const former = await readOffset(this.#options.database);
    const start: ProjectorOffset = { epoch, sequence: 0, messageId: null };
    if (former === null) return { offset: start, former, isNewEpoch: true };
    if (former.epoch === epoch && former.sequence === 0) return { offset: former, former, isNewEpoch: false };
    const known = former.epoch === epoch && (await isStillThere(nc, former));
    return known
      ? { offset: former, former, isNewEpoch: false }
      : { offset: start, former, isNewEpoch: true };
  }

  async #findOrphans() {
    const nc = this.#options.session.connection;
    const found: { sequence: number; jobId: string | null }[] = [];
    for (const { name } of await this.#options.queues.all()) {
      for (const priority of JOB_PRIORITIES) {
        for (const { sequence, task } of await tasksBelowAckFloor(nc, name as QueueName, priority)) {
          found.push({ sequence, jobId: task?.jobId ?? null });
        }
      }
    }
    return found;
  }
}

async function isStillThere(nc: NatsConnection, offset: ProjectorOffset): Promise<boolean> {
  const there = await eventAt(nc, offset.sequence);
  if (there.state === 'expired') return true;
  if (there.state === 'missing') return false;
  return offset.messageId === null || there.messageId === offset.messageId;
}
