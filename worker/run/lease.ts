import { readChainEnd } from '../../src/messaging/chain.ts';
import type { NatsConnection } from '../../src/messaging/connection.ts';
import { readControl } from '../../src/messaging/control.ts';
import type { Delivery } from '../../src/messaging/pull-task.ts';
import type { Logger } from '../../src/observability/logger.ts';
import type { WorkerTiming } from '../timing.ts';
import { ChainLostError, FencedError } from './event-publisher.ts';

export interface LeaseOptions {
  readonly nc: NatsConnection;
  readonly delivery: Delivery;
  readonly runId: string;
  readonly fence: AbortController;
  readonly timing: WorkerTiming;
  readonly log: Logger;
  /** Called at every heartbeat while a cancel is stored. */
  readonly onCancel: () => void;
}

/**
 * Keeps a task with its run, and ends the run when it may have lost the job, which JetStream itself does not do. Aborts
 * `fence` with FencedError after `fenceMs` without an answer of NATS, and with ChainLostError when the chain ends in
 * another run.
 *
 * All times are of the monotonic clock: a wall clock that jumps must not end a run, nor keep one.
 */
export class Lease {
  readonly #options: LeaseOptions;
  #confirmedAt = performance.now();
  #beat: NodeJS.Timeout | null = null;
  #watch: NodeJS.Timeout | null = null;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** @param sentAt When the question was sent: the answer says nothing about the time after that. */
  confirm(sentAt: number): void {
    this.#confirmedAt = Math.max(this.#confirmedAt, sentAt);
  }

  start(): void {
    const { heartbeatMs, fenceMs } = this.#options.timing;
    this.#beat = setInterval(() => void this.#beatOnce(), heartbeatMs);
    this.#watch = setInterval(() => this.#check(), Math.min(1_000, fenceMs / 10));
  }

  stop(): void {
    if (this.#beat !== null) clearInterval(this.#beat);
    if (this.#watch !== null) clearInterval(this.#watch);
  }

  async #beatOnce(): Promise<void> {
    const { delivery, timing, fence } = this.#options;
    this.#check();
    if (fence.signal.aborted) return;
    const sentAt = performance.now();
    const [confirmed] = await Promise.all([
      delivery.heartbeat(timing.heartbeatMs),
      this.#checkChain(timing.heartbeatMs),
      this.#checkControl(timing.heartbeatMs),
    ]);
    if (confirmed) this.confirm(sentAt);
  }

  /** JetStream confirms a stale heartbeat like any other, so a run that publishes nothing finds out only here. */
  async #checkChain(timeoutMs: number): Promise<void> {
    const { nc, delivery, runId, fence, log } = this.#options;
    try {
      const last = await readChainEnd(nc, delivery.task.jobId, timeoutMs);
      if (last === null || last.event?.runId === runId) return;
      fence.abort(new ChainLostError(`the job has another run (${last.event?.type ?? 'unreadable'})`));
    } catch (err) {
      log.debug({ err }, 'the chain could not be read at a heartbeat');
    }
  }

  /** A worker that was disconnected when a cancel was published finds it here. */
  async #checkControl(timeoutMs: number): Promise<void> {
    const { nc, delivery, onCancel, log } = this.#options;
    try {
      if ((await readControl(nc, delivery.task.jobId, timeoutMs)) !== null) onCancel();
    } catch (err) {
      log.debug({ err }, 'the control message could not be read at a heartbeat');
    }
  }

  #check(): void {
    const { fence, timing } = this.#options;
    const silentMs = performance.now() - this.#confirmedAt;
    if (silentMs >= timing.fenceMs) {
      fence.abort(new FencedError(`no answer of NATS for ${Math.round(silentMs / 1000)} s`));
    }
  }
}
