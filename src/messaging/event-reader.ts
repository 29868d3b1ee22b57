import { type JsMsg, jetstream } from '@nats-io/jetstream';
import { CodecError, decode } from '../contract/codec.ts';
import { FactMessage } from '../contract/messages.ts';
import { jobIdOf, STREAMS } from '../contract/subjects.ts';
import { isConnected, type NatsConnection, whileConnected } from './connection.ts';

export interface ReadFact {
  readonly sequence: number;
  /** From the subject, so known for a malformed fact, too. */
  readonly jobId: string;
  /** Null when malformed. */
  readonly fact: FactMessage | null;
  /** Why `fact` is null. */
  readonly malformed: CodecError | null;
  readonly bytes: Uint8Array;
  /** The fact's `Nats-Msg-Id`, empty when it came without one. */
  readonly messageId: string;
  /** When EVENTS stored it. */
  readonly at: Date;
  /** How many more are stored already: 0 means that this is the newest. */
  readonly pending: number;
}

/** How many facts may lie in memory before the reader takes them. */
const PREFETCH = 128;
const CREATE_TIMEOUT_MS = 5_000;

/**
 * All facts of all jobs in order, from a sequence on, for ever. It outlives restarts of nats-server; a gap
 * or a repeat cannot happen. Ends when the signal aborts, and leaves nothing behind in JetStream.
 *
 * @throws JetStream's and the client's errors when reading cannot begin; call again then.
 */
export async function* readFacts(
  nc: NatsConnection,
  options: { readonly fromSequence: number; readonly signal: AbortSignal },
): AsyncGenerator<ReadFact, void, void> {
  const { signal } = options;
  if (signal.aborted) return;
  const start = { opt_start_seq: Math.max(1, options.fromSequence) };
  const consumer = await whileConnected(nc, CREATE_TIMEOUT_MS, () =>
    jetstream(nc).consumers.get(STREAMS.events, start),
  );
  const messages = await consumer.consume({ max_messages: PREFETCH, expires: 10_000, idle_heartbeat: 1_000 });
  const stop = () => messages.stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    for await (const message of messages) {
      if (signal.aborted) return;
      yield toFact(message);
    }
  } finally {
    signal.removeEventListener('abort', stop);
    messages.stop();
    if (isConnected(nc)) {
      // Else it would linger for five minutes; where NATS is away, that is what happens.
      await consumer.delete().catch(() => false);
    }
  }
}

function toFact(message: JsMsg): ReadFact {
  const common = {
    sequence: message.seq,
    jobId: jobIdOf(message.subject),
    bytes: message.data,
    messageId: message.headers?.get('Nats-Msg-Id') ?? '',
    at: new Date(message.info.timestampNanos / 1e6),
    pending: message.info.pending,
  };
  try {
    return { ...common, fact: decode(FactMessage, message.data), malformed: null };
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    return { ...common, fact: null, malformed: error };
  }
}
