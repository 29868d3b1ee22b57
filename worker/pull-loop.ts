import { CodecError } from '../src/contract/codec.ts';
import { lanesOf, wakeSubject } from '../src/contract/subjects.ts';
import type { JobPriority, QueueName } from '../src/domain/vocabulary.ts';
import { isConnected, NatsAwayError, type NatsConnection } from '../src/messaging/connection.ts';
import { type Delivery, PullTimeoutError, pullTask } from '../src/messaging/pull-task.ts';
import type { Logger } from '../src/observability/logger.ts';
import { Bell, sleep } from '../src/process/wait.ts';
import type { WorkerTiming } from './timing.ts';

/** One sweep in so many begins with the least urgent lane, so that it never starves. */
const FAIR_SWEEP = 10;
/** No pull answered for so long, on a connection that seems to stand, and it is made anew. */
const MAX_SILENCE_MS = 60_000;
const TROUBLE_PAUSE_MS = 1_000;

export interface PullLoopOptions {
  readonly nc: NatsConnection;
  readonly log: Logger;
  readonly queue: QueueName;
  readonly slots: number;
  readonly timing: WorkerTiming;
  /** False while the engine could not work anyway. */
  readonly isAvailable: () => boolean;
  /** Runs a task to its end; never rejects. */
  readonly run: (delivery: Delivery) => Promise<void>;
  /** Told when a run began or ended. */
  readonly onChange: () => void;
}

/** Takes a task whenever a slot is free: from the most urgent lane that has one, as soon as there is one. */
export class PullLoop {
  readonly #options: PullLoopOptions;
  readonly #bell = new Bell();
  readonly #running = new Set<Promise<void>>();
  #sweeps = 0;
  #silentSince: number | null = null;
  #woken: JobPriority | null = null;

  constructor(options: PullLoopOptions) {
    this.#options = options;
  }

  get busy(): number {
    return this.#running.size;
  }

  /** Until the signal aborts; runs go on after that, see `idle`. */
  async pull(signal: AbortSignal): Promise<void> {
    const { nc, queue, slots, timing, isAvailable } = this.#options;
    const wake = nc.subscribe(wakeSubject(queue), {
      callback: (_, message) => this.#onWake(message.subject),
    });
    try {
      while (!signal.aborted) {
        const ready = this.busy < slots && isAvailable() && isConnected(nc);
        if (!ready) {
          await this.#bell.wait(signal, TROUBLE_PAUSE_MS);
          continue;
        }
        this.#bell.clear();
        const delivery = await this.#sweep(signal);
        if (delivery !== null && signal.aborted) await delivery.nak();
        else if (delivery !== null) this.#begin(delivery);
        else await this.#bell.wait(signal, timing.idleMs * (0.75 + Math.random() / 2));
      }
    } finally {
      wake.unsubscribe();
    }
  }

  /** Settles when no run is left. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #onWake(subject: string): void {
    const priority = subject.slice(subject.lastIndexOf('.') + 1).toUpperCase();
    this.#woken = lanesOf(this.#options.queue).find((lane) => lane.priority === priority)?.priority ?? null;
    this.#bell.ring();
  }

  #begin(delivery: Delivery): void {
    const run = this.#options.run(delivery).finally(() => {
      this.#running.delete(run);
      this.#options.onChange();
      this.#bell.ring();
    });
    this.#running.add(run);
    this.#options.onChange();
  }

  async #sweep(signal: AbortSignal): Promise<Delivery | null> {
    const { nc, queue } = this.#options;
    try {
      for (const priority of this.#lanes()) {
        if (signal.aborted) return null;
        const delivery = await pullTask(nc, queue, priority);
        this.#silentSince = null;
        if (delivery !== null) return delivery;
      }
    } catch (error) {
      await this.#onTrouble(error, signal);
    }
    return null;
  }

  /** An idle worker that was woken knows which lane has something, and the others were empty just now. */
  #lanes(): readonly JobPriority[] {
    const lanes = lanesOf(this.#options.queue).map((lane) => lane.priority);
    this.#sweeps += 1;
    const woken = this.#woken;
    this.#woken = null;
    if (woken !== null && this.busy === 0) return [woken, ...lanes.filter((priority) => priority !== woken)];
    return this.#sweeps % FAIR_SWEEP === 0 ? lanes.toReversed() : lanes;
  }

  async #onTrouble(error: unknown, signal: AbortSignal): Promise<void> {
    const { nc, log } = this.#options;
    if (nc.isClosed() || nc.isDraining()) return;
    if (error instanceof CodecError) {
      log.error({ err: error }, 'task of an unknown form taken off its lane');
      return;
    }
    if (!(error instanceof PullTimeoutError || error instanceof NatsAwayError)) {
      log.warn({ err: error }, 'no task could be taken');
      await sleep(TROUBLE_PAUSE_MS, signal);
      return;
    }
    // Once, until it goes well again: a worker may be up long before its server makes the lanes.
    if (this.#silentSince === null) {
      this.#silentSince = Date.now();
      log.warn({ reason: error.message }, 'no task could be taken');
    }
    if (Date.now() - this.#silentSince < MAX_SILENCE_MS || !isConnected(nc)) return;
    this.#silentSince = Date.now();
    log.warn('NATS answers no pull; connecting anew');
    await nc.reconnect();
  }
}
