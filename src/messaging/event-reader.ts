import { type JsMsg, jetstream } from '@nats-io/jetstream';
import { CodecError, decode } from '../contract/codec.ts';
import { EventMessage } from '../contract/messages.ts';
import { jobIdOf, STREAMS } from '../contract/subjects.ts';
import { isConnected, type NatsConnection, whileConnected } from './connection.ts';

export interface ReadEvent {
  readonly sequence: number;
  /** From the subject, so known for a malformed event, too. */
  readonly jobId: string;
  /** Null when malformed. */
  readonly event: EventMessage | null;
  /** Why `event` is null. */
  readonly malformed: CodecError | null;
  readonly bytes: Uint8Array;
  /** The event's `Nats-Msg-Id`, empty when it came without one. */
  readonly messageId: string;
  /** When EVENTS stored it. */
  readonly at: Date;
  /** How many more are stored already: 0 means that this is the newest. */
  readonly pending: number;
}

/** How many events may lie in memory before the reader takes them. */
const PREFETCH = 128;
const CREATE_TIMEOUT_MS = 5_000;

/**
 * All events of all jobs in order, from a sequence on, for ever. It outlives restarts of nats-server; a gap
 * or a repeat cannot happen. Ends when the signal aborts, and leaves nothing behind in JetStream.
 *
 * @throws JetStream's and the client's errors when reading cannot begin; call again then.
 */
export async function* readEvents(
  nc: NatsConnection,
  options: { readonly fromSequence: number; readonly signal: AbortSignal },
): AsyncGenerator<ReadEvent, void, void> {
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
      yield toEvent(message);
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

function toEvent(message: JsMsg): ReadEvent {
  const common = {
    sequence: message.seq,
    jobId: jobIdOf(message.subject),
    bytes: message.data,
    messageId: message.headers?.get('Nats-Msg-Id') ?? '',
    at: new Date(message.info.timestampNanos / 1e6),
    pending: message.info.pending,
  };
  try {
    return { ...common, event: decode(EventMessage, message.data), malformed: null };
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    return { ...common, event: null, malformed: error };
  }
}
