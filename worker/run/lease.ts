import { readChainEnd } from '../../src/messaging/chain.ts';
import type { NatsConnection } from '../../src/messaging/connection.ts';
import { readControl } from '../../src/messaging/control.ts';
import type { Delivery } from '../../src/messaging/pull-task.ts';
import type { Logger } from '../../src/observability/logger.ts';
import type { WorkerTiming } from '../timing.ts';
import { ChainLostError, FencedError } from './event-publisher.ts';

/**
 * Keeps a job while its run is well, and ends the run when it may have lost the job: JetStream itself
 * fences nobody. Aborts `fence` with FencedError after `fenceMs` without a sign of NATS, and with
 * ChainLostError when the chain turns out to end in another run.
 */
export class Lease {
  readonly #options: LeaseOptions;
  #confirmedAt = Date.now();
  #beat: NodeJS.Timeout | null = null;
  #watch: NodeJS.Timeout | null = null;

  constructor(options: LeaseOptions) {
    this.#options = options;
  }

  /** Counts from when the question was sent: NATS may have forgotten us since it answered. */
  confirm(sentAt: number): void {
    this.#confirmedAt = Math.max(this.#confirmedAt, sentAt);
  }

  start(): void {
    const { heartbeatMs, fenceMs } = this.#options.timing;
    this.#confirmedAt = Date.now();
    this.#beat = setInterval(() => void this.#beatOnce(), heartbeatMs);
    this.#watch = setInterval(() => this.#check(), Math.min(1_000, fenceMs / 10));
  }

  stop(): void {
    if (this.#beat !== null) clearInterval(this.#beat);
    if (this.#watch !== null) clearInterval(this.#watch);
  }

  async #beatOnce(): Promise<void> {
    const { delivery, timing } = this.#options;
    this.#check();
    if (this.#options.fence.signal.aborted) return;
    const sentAt = Date.now();
    const [confirmed] = await Promise.all([
      delivery.heartbeat(timing.heartbeatMs),
      this.#checkChain(timing.heartbeatMs),
      this.#checkControl(timing.heartbeatMs),
    ]);
    if (confirmed) this.confirm(sentAt);
  }

  /** A stale heartbeat is confirmed like any other, so a run without news learns only here that it is over. */
  async #checkChain(timeoutMs: number): Promise<void> {
    const { nc, delivery, runId, fence, log } = this.#options;
    try {
      const last = await readChainEnd(nc, delivery.task.jobId, timeoutMs);
      if (last !== null && last.event?.runId !== runId) {
        fence.abort(new ChainLostError(`the job has another run (${last.event?.type ?? 'unreadable'})`));
      }
    } catch (error) {
      log.debug({ err: error }, 'chain not read');
    }
  }

  /** The live message of a cancel is lost on a worker that was disconnected just then. */
  async #checkControl(timeoutMs: number): Promise<void> {
    const { nc, delivery, onCancel, log } = this.#options;
    try {
      if ((await readControl(nc, delivery.task.jobId, timeoutMs)) !== null) onCancel();
    } catch (error) {
      log.debug({ err: error }, 'control not read');
    }
  }

  #check(): void {
    const { fence, timing } = this.#options;
    const silentMs = Date.now() - this.#confirmedAt;
    if (silentMs >= timing.fenceMs) {
      fence.abort(new FencedError(`no word of NATS for ${Math.round(silentMs / 1000)} s`));
    }
  }
}

export interface LeaseOptions {
  readonly nc: NatsConnection;
  readonly delivery: Delivery;
  readonly runId: string;
  readonly fence: AbortController;
  readonly timing: WorkerTiming;
  readonly log: Logger;
  /** Told at every heartbeat while a cancel is stored. */
  readonly onCancel: () => void;
}
