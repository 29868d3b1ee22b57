import { CodecError } from '../../src/contract/codec.ts';
import { type FactMessage, PROTOCOL_VERSION } from '../../src/contract/messages.ts';
import type { Checkpoint } from '../../src/domain/transcript.ts';
import type { NatsConnection } from '../../src/messaging/connection.ts';
import { appendFact } from '../../src/messaging/chain.ts';
import type { Logger } from '../../src/observability/logger.ts';
import type { RunPlan } from './decide-run.ts';
import type { WorkerTiming } from '../timing.ts';
import { pause, unlessAborted } from '../../src/process/wait.ts';

type Common = 'v' | 'jobId' | 'attempt' | 'instance' | 'ordinal' | 'at' | 'lostAttempts' | keyof Checkpoint;
type DraftOf<Fact> = Fact extends FactMessage ? Omit<Fact, Common> : never;
/** What a fact says, without what every fact of the run has. */
export type FactDraft = DraftOf<FactMessage>;

/** Another run, or the server, extended the job's chain: this run has lost the job and must be silent. */
export class ChainLostError extends Error {
  override readonly name = 'ChainLostError';
}

/** NATS was not heard of for so long that somebody else may have the job. */
export class FencedError extends Error {
  override readonly name = 'FencedError';
}

export interface FactPublisherOptions {
  readonly nc: NatsConnection;
  readonly log: Logger;
  readonly jobId: string;
  readonly instance: string;
  readonly plan: RunPlan;
  readonly timing: WorkerTiming;
  /** Aborted when the run has lost the job. */
  readonly fence: AbortSignal;
  /** Told when NATS confirmed something that was sent at this time. */
  readonly onConfirmed: (sentAt: number) => void;
}

/**
 * Writes one run's facts, one after the other, each expecting the one before. A fact is sent until it is
 * stored: through outages, restarts and lost answers, until the fence falls.
 */
export class FactPublisher {
  readonly #options: FactPublisherOptions;
  #expectedSequence: number;
  #checkpoint: Checkpoint;
  #ordinal = 0;
  #queue: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | null = null;

  constructor(options: FactPublisherOptions) {
    this.#options = options;
    this.#expectedSequence = options.plan.expectedSequence;
    this.#checkpoint = options.plan.checkpoint;
  }

  /** After the last stored fact. */
  get checkpoint(): Checkpoint {
    return this.#checkpoint;
  }

  get attempt(): number {
    return this.#options.plan.attempt;
  }

  get instance(): string {
    return this.#options.instance;
  }

  /**
   * @param change How the checkpoint stands after this fact.
   * @throws ChainLostError, FencedError; after one of them, everything that follows throws it, too.
   */
  publish(draft: FactDraft, change: Partial<Checkpoint> = {}): Promise<void> {
    const published = this.#queue.then(async () => {
      if (this.#failure !== null) throw this.#failure.error;
      await this.#append(draft, change);
    });
    this.#queue = published.catch((error: unknown) => {
      this.#failure ??= { error };
    });
    return published;
  }

  async #append(draft: FactDraft, change: Partial<Checkpoint>): Promise<void> {
    const { plan, instance, jobId } = this.#options;
    const { generation, segmentCount, checkpointMs, language } = { ...this.#checkpoint, ...change };
    const checkpoint = { generation, segmentCount, checkpointMs, language };
    const fact = {
      v: PROTOCOL_VERSION,
      jobId,
      attempt: plan.attempt,
      instance,
      ordinal: this.#ordinal + 1,
      at: Date.now(),
      lostAttempts: plan.lostAttempts,
      ...checkpoint,
      ...draft,
    } as FactMessage;
    this.#expectedSequence = await this.#store(fact);
    this.#ordinal = fact.ordinal;
    this.#checkpoint = checkpoint;
  }

  /** The fact's sequence, once it is stored. */
  async #store(fact: FactMessage): Promise<number> {
    const { fence, timing, log, onConfirmed } = this.#options;
    const giveUpAt = Date.now() + timing.fenceMs;
    for (;;) {
      const sentAt = Date.now();
      try {
        const sequence = await unlessAborted(this.#tryOnce(fact), fence);
        onConfirmed(sentAt);
        if (sequence !== null) return sequence;
        throw new ChainLostError(`the job has another run since fact ${fact.ordinal - 1}`);
      } catch (error) {
        fence.throwIfAborted();
        if (error instanceof ChainLostError || error instanceof CodecError) throw error;
        // Heartbeats may go on while facts can't be stored, such as on a full disk.
        if (Date.now() >= giveUpAt) throw new FencedError('a fact could not be stored', { cause: error });
        log.warn({ err: error, fact: fact.type }, 'fact not stored yet');
        await pause(timing.publishRetryMs, fence);
      }
    }
  }

  async #tryOnce(fact: FactMessage): Promise<number | null> {
    const { nc, timing } = this.#options;
    const appended = await appendFact(nc, fact, this.#expectedSequence, timing.publishTimeoutMs);
    return appended.accepted ? appended.sequence : null;
  }
}
