import { CodecError } from '../src/contract/codec.ts';
import { lanesOf, wakeSubject } from '../src/contract/subjects.ts';
import type { JobPriority, QueueName } from '../src/domain/vocabulary.ts';
import { isConnected, NatsAwayError, type NatsConnection } from '../src/messaging/connection.ts';
import { type Delivery, PullTimeoutError, pullTask } from '../src/messaging/pull-task.ts';
import type { Logger } from '../src/observability/logger.ts';
import { Bell, sleep } from '../src/process/wait.ts';
import { laneOrder } from './lane-order.ts';
import type { WorkerTiming } from './timing.ts';

/** After so long without an answer to a pull, on a connection that seems to work, the worker reconnects. */
const MAX_SILENCE_MS = 60_000;
const RETRY_MS = 1_000;

export interface PullLoopOptions {
  readonly nc: NatsConnection;
  readonly log: Logger;
  readonly queue: QueueName;
  readonly slots: number;
  readonly timing: WorkerTiming;
  /** False while the engine cannot work. */
  readonly isAvailable: () => boolean;
  /** Runs a task to its end; never rejects. */
  readonly run: (delivery: Delivery) => Promise<void>;
  /** Called when a run began or ended. */
  readonly onChange: () => void;
}

/** Takes a task whenever a slot is free: from the most urgent lane that has one, as soon as there is one. */
export class PullLoop {
  readonly #options: PullLoopOptions;
  readonly #bell = new Bell();
  readonly #running = new Set<Promise<void>>();
  #sweeps = 0;
  #silentSince: number | null = null;
  /** The lane that got a task since the last sweep. */
  #woken: JobPriority | null = null;

  constructor(options: PullLoopOptions) {
    this.#options = options;
  }

  get busy(): number {
    return this.#running.size;
  }

  /** Pulls until the signal aborts; runs continue after that, see `idle`. */
  async pull(signal: AbortSignal): Promise<void> {
    const { nc, queue, slots, timing, isAvailable } = this.#options;
    const wake = nc.subscribe(wakeSubject(queue), {
      callback: (_, message) => this.#onWake(message.subject),
    });
    try {
      while (!signal.aborted) {
        const isReady = this.busy < slots && isAvailable() && isConnected(nc);
        if (!isReady) {
          await this.#bell.wait(signal, RETRY_MS);
          continue;
        }
        this.#bell.clear();
        const delivery = await this.#sweep(signal);
        if (delivery !== null && signal.aborted) await delivery.nak();
        else if (delivery !== null) this.#begin(delivery);
        // Random, so that the workers of a fleet do not pull in the same moment.
        else await this.#bell.wait(signal, timing.idleMs * (0.75 + Math.random() / 2));
      }
    } finally {
      wake.unsubscribe();
    }
  }

  /** Resolves when no run is left. */
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
    this.#sweeps += 1;
    const woken = this.busy === 0 ? this.#woken : null;
    this.#woken = null;
    try {
      for (const priority of laneOrder(queue, this.#sweeps, woken)) {
        if (signal.aborted) return null;
        const delivery = await pullTask(nc, queue, priority);
        this.#silentSince = null;
        if (delivery !== null) return delivery;
      }
    } catch (error) {
      await this.#onFailure(error, signal);
    }
    return null;
  }

  async #onFailure(error: unknown, signal: AbortSignal): Promise<void> {
    const { nc, log } = this.#options;
    if (nc.isClosed() || nc.isDraining()) return;
    if (error instanceof CodecError) {
      log.error({ err: error }, 'a task that this version cannot read was taken off its lane');
      return;
    }
    if (!(error instanceof PullTimeoutError || error instanceof NatsAwayError)) {
      log.warn({ err: error }, 'pulling a task failed');
      await sleep(RETRY_MS, signal);
      return;
    }
    // Logged once until a pull succeeds: a worker may start long before its server creates the lanes.
    if (this.#silentSince === null) {
      this.#silentSince = performance.now();
      log.warn({ reason: error.message }, 'pulling a task failed');
    }
    if (performance.now() - this.#silentSince < MAX_SILENCE_MS || !isConnected(nc)) return;
    this.#silentSince = performance.now();
    log.warn('NATS answers no pull; reconnecting');
    await nc.reconnect();
  }
}
