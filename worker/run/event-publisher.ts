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
/** An event without the fields that every event of the run has. */
export type EventDraft = Exclude<DraftOf<EventMessage>, { type: 'opaque' }>;

/** Another run, or the server, extended the job's chain: this run has lost the job and publishes nothing more. */
export class ChainLostError extends Error {
  override readonly name = 'ChainLostError';
}

/** NATS did not answer for so long that another worker may have the job. */
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
  /** Called when NATS answered something that was sent at this time of the monotonic clock. */
  readonly onConfirmed: (sentAt: number) => void;
}

/**
 * Publishes the events of one run, one after the other, each expecting the one before. An event is sent until it is
 * stored, through outages, restarts and lost answers, or until the run is fenced.
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
   * @param change The checkpoint after this event, as far as it differs.
   * @throws ChainLostError, FencedError, CodecError; every later call throws the same.
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
    const { nc, fence, timing, log, onConfirmed } = this.#options;
    const giveUpAt = performance.now() + timing.fenceMs;
    for (;;) {
      const sentAt = performance.now();
      try {
        const append = appendEvent(nc, event, this.#expectedSequence, timing.publishTimeoutMs);
        const appended = await unlessAborted(append, fence);
        onConfirmed(sentAt);
        if (appended.accepted) return appended.sequence;
        throw new ChainLostError(`the job has another run since event ${event.ordinal - 1}`);
      } catch (error) {
        fence.throwIfAborted();
        if (error instanceof ChainLostError || error instanceof CodecError) throw error;
        // Heartbeats may succeed while events cannot be stored, such as with a full disk.
        if (performance.now() >= giveUpAt)
          throw new FencedError('an event could not be stored', { cause: error });
        log.warn({ err: error, event: event.type }, 'event not stored yet; sending it again');
        await sleep(timing.publishRetryMs, fence);
      }
    }
  }
}
