import { CodecError } from '../../src/contract/codec.ts';
import { type EventMessage, PROTOCOL_VERSION } from '../../src/contract/messages.ts';
import type { Checkpoint } from '../../src/domain/transcript.ts';
import { appendEvent } from '../../src/messaging/chain.ts';
import type { NatsConnection } from '../../src/messaging/connection.ts';
import type { Logger } from '../../src/observability/logger.ts';
import { sleep, unlessAborted } from '../../src/process/wait.ts';
import type { WorkerTiming } from '../timing.ts';
import type { RunPlan } from './decide-run.ts';

type Common = 'v' | 'jobId' | 'attempt' | 'runId' | 'ordinal' | 'at' | 'lostRuns' | keyof Checkpoint;
type DraftOf<Event> = Event extends EventMessage ? Omit<Event, Common> : never;
/** What an event says, without what every event of the run has. */
export type EventDraft = DraftOf<EventMessage>;

/** Another run, or the server, extended the job's chain: this run has lost the job and must be silent. */
export class ChainLostError extends Error {
  override readonly name = 'ChainLostError';
}

/** NATS was not heard of for so long that somebody else may have the job. */
export class FencedError extends Error {
  override readonly name = 'FencedError';
}

export interface EventPublisherOptions {
  readonly nc: NatsConnection;
  readonly log: Logger;
  readonly jobId: string;
  readonly runId: string;
  readonly plan: RunPlan;
  readonly timing: WorkerTiming;
  /** Aborted when the run has lost the job. */
  readonly fence: AbortSignal;
  /** Told when NATS confirmed something that was sent at this time. */
  readonly onConfirmed: (sentAt: number) => void;
}

/**
 * Writes one run's events, one after the other, each expecting the one before. An event is sent until it is
 * stored: through outages, restarts and lost answers, until the fence falls.
 */
export class EventPublisher {
  readonly #options: EventPublisherOptions;
  #expectedSequence: number;
  #checkpoint: Checkpoint;
  #ordinal = 0;
  #queue: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | null = null;

  constructor(options: EventPublisherOptions) {
    this.#options = options;
    this.#expectedSequence = options.plan.expectedSequence;
    this.#checkpoint = options.plan.checkpoint;
  }

  /** After the last stored event. */
  get checkpoint(): Checkpoint {
    return this.#checkpoint;
  }

  get attempt(): number {
    return this.#options.plan.attempt;
  }

  get runId(): string {
    return this.#options.runId;
  }

  /**
   * @param change How the checkpoint stands after this event.
   * @throws ChainLostError, FencedError; after one of them, everything that follows throws it, too.
   */
  publish(draft: EventDraft, change: Partial<Checkpoint> = {}): Promise<void> {
    const published = this.#queue.then(async () => {
      if (this.#failure !== null) throw this.#failure.error;
      await this.#append(draft, change);
    });
    this.#queue = published.catch((error: unknown) => {
      this.#failure ??= { error };
    });
    return published;
  }

  async #append(draft: EventDraft, change: Partial<Checkpoint>): Promise<void> {
    const { plan, runId, jobId } = this.#options;
    const { generation, segmentCount, checkpointMs, language } = { ...this.#checkpoint, ...change };
    const checkpoint = { generation, segmentCount, checkpointMs, language };
    const event = {
      v: PROTOCOL_VERSION,
      jobId,
      attempt: plan.attempt,
      runId,
      ordinal: this.#ordinal + 1,
      at: Date.now(),
      lostRuns: plan.lostRuns,
      ...checkpoint,
      ...draft,
    } as EventMessage;
    this.#expectedSequence = await this.#store(event);
    this.#ordinal = event.ordinal;
    this.#checkpoint = checkpoint;
  }

  /** The event's sequence, once it is stored. */
  async #store(event: EventMessage): Promise<number> {
    const { fence, timing, log, onConfirmed } = this.#options;
    const giveUpAt = Date.now() + timing.fenceMs;
    for (;;) {
      const sentAt = Date.now();
      try {
        const sequence = await unlessAborted(this.#tryOnce(event), fence);
        onConfirmed(sentAt);
        if (sequence !== null) return sequence;
        throw new ChainLostError(`the job has another run since event ${event.ordinal - 1}`);
      } catch (error) {
        fence.throwIfAborted();
        if (error instanceof ChainLostError || error instanceof CodecError) throw error;
        // Heartbeats may go on while events can't be stored, such as on a full disk.
        if (Date.now() >= giveUpAt) throw new FencedError('an event could not be stored', { cause: error });
        log.warn({ err: error, event: event.type }, 'event not stored yet');
        await sleep(timing.publishRetryMs, fence);
      }
    }
  }

  async #tryOnce(event: EventMessage): Promise<number | null> {
    const { nc, timing } = this.#options;
    const appended = await appendEvent(nc, event, this.#expectedSequence, timing.publishTimeoutMs);
    return appended.accepted ? appended.sequence : null;
  }
}
