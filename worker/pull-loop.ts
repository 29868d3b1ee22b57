import { CodecError } from '../src/contract/codec.ts';
import { lanesOf, wakeSubject } from '../src/contract/subjects.ts';
import type { JobPriority, QueueName } from '../src/domain/vocabulary.ts';
import { isConnected, type NatsConnection } from '../src/messaging/connection.ts';
import {
  ConsumerMissingError,
  type Delivery,
  PullTimeoutError,
  pullOrder,
} from '../src/messaging/pull-order.ts';
import type { Logger } from '../src/observability/logger.ts';
import type { WorkerTiming } from './timing.ts';
import { Bell, pause } from './wait.ts';

/** One sweep in so many begins with the least urgent lane, so that it never starves. */
const FAIR_SWEEP = 10;
/** So many pulls in a row without an answer, on a connection that seems to stand, and it is made anew. */
const MAX_SILENT_PULLS = 5;
const TROUBLE_PAUSE_MS = 1_000;

export interface PullLoopOptions {
  readonly nc: NatsConnection;
  readonly log: Logger;
  readonly queue: QueueName;
  readonly slots: number;
  readonly timing: WorkerTiming;
  /** False while the engine could not work anyway. */
  readonly isAvailable: () => boolean;
  /** Runs an order to its end; never rejects. */
  readonly run: (delivery: Delivery) => Promise<void>;
  /** Told when a run began or ended. */
  readonly onChange: () => void;
}

/** Takes an order whenever a slot is free: from the most urgent lane that has one, as soon as there is one. */
export class PullLoop {
  readonly #options: PullLoopOptions;
  readonly #bell = new Bell();
  readonly #running = new Set<Promise<void>>();
  #sweeps = 0;
  #silentPulls = 0;
  #complained = false;
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
          await this.#bell.wait(TROUBLE_PAUSE_MS, signal);
          continue;
        }
        this.#bell.clear();
        const delivery = await this.#sweep(signal);
        if (delivery !== null && signal.aborted) await delivery.nak();
        else if (delivery !== null) this.#begin(delivery);
        else await this.#bell.wait(timing.idleMs * (0.75 + Math.random() / 2), signal);
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
    for (const priority of this.#lanes()) {
      if (signal.aborted) return null;
      const delivery = await this.#pullFrom(priority, signal);
      if (delivery !== null) return delivery;
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

  async #pullFrom(priority: JobPriority, signal: AbortSignal): Promise<Delivery | null> {
    const { nc, log, queue } = this.#options;
    try {
      const delivery = await pullOrder(nc, queue, priority);
      this.#silentPulls = 0;
      this.#complained = false;
      return delivery;
    } catch (error) {
      if (error instanceof CodecError) {
        log.error({ err: error, queue, priority }, 'order of an unknown form taken off the lane');
        return null;
      }
      if (nc.isClosed() || nc.isDraining()) return null;
      this.#complain(error);
      if (error instanceof PullTimeoutError) await this.#countSilence();
      else await pause(TROUBLE_PAUSE_MS, signal);
      return null;
    }
  }

  /** Once, until it goes well again: a worker may be up long before its server. */
  #complain(error: unknown): void {
    const expected = error instanceof ConsumerMissingError || error instanceof PullTimeoutError;
    const level = expected && this.#complained ? 'debug' : 'warn';
    this.#complained = true;
    this.#options.log[level](
      expected ? { reason: error.message } : { err: error },
      'no order could be taken',
    );
  }

  async #countSilence(): Promise<void> {
    this.#silentPulls += 1;
    if (this.#silentPulls < MAX_SILENT_PULLS || !isConnected(this.#options.nc)) return;
    this.#silentPulls = 0;
    this.#options.log.warn('NATS answers no pull; connecting anew');
    await this.#options.nc.reconnect();
  }
}
