import { type JsMsg, jetstream } from '@nats-io/jetstream';
import { jobIdOf, STREAMS } from '../contract/subjects.ts';
import { onAbort } from '../process/wait.ts';
import { type DecodedEvent, decodeEvent } from './chain.ts';
import { isConnected, type NatsConnection, whileConnected } from './connection.ts';
import { readStored, withManager } from './jetstream.ts';

export type ReadEvent = DecodedEvent & {
  readonly sequence: number;
  /** From the subject, so it is there for a malformed event too. */
  readonly jobId: string;
  readonly bytes: Uint8Array;
  /** The event's `Nats-Msg-Id`; empty when it has none. */
  readonly messageId: string;
  /** When EVENTS stored it. */
  readonly at: Date;
  /** How many more are stored already: 0 means that this is the newest. */
  readonly pending: number;
};

/** The most events in memory that the caller has not taken yet. */
const PREFETCH = 128;
const CREATE_TIMEOUT_MS = 5_000;

/**
 * All events of all jobs in order, from a sequence on, without end. Reading survives restarts of nats-server, without
 * a gap or a repeat. It ends when the signal aborts, and removes its consumer.
 *
 * @throws JetStream's and the client's errors when reading cannot begin; the caller may try again.
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
  const forget = onAbort(signal, () => messages.stop());
  try {
    for await (const message of messages) {
      if (signal.aborted) return;
      yield toEvent(message);
    }
  } finally {
    forget();
    messages.stop();
    // Without a connection the consumer stays; nats-server removes it after five idle minutes.
    if (isConnected(nc)) await consumer.delete().catch(() => false);
  }
}

function toEvent(message: JsMsg): ReadEvent {
  const jobId = jobIdOf(message.subject);
  return {
    ...decodeEvent(jobId, message.data),
    jobId,
    sequence: message.seq,
    bytes: message.data,
    messageId: message.headers?.get('Nats-Msg-Id') ?? '',
    at: message.time,
    pending: message.info.pending,
  };
}

export type EventAt =
  | { readonly state: 'present'; readonly messageId: string }
  /** EVENTS no longer keeps it. */
  | { readonly state: 'expired' }
  /** EVENTS never came that far, so it is not the stream that was read before. */
  | { readonly state: 'missing' };

/** What EVENTS has at a sequence, to distinguish a stream that lost its end from one that only aged. */
export async function eventAt(nc: NatsConnection, sequence: number): Promise<EventAt> {
  const stored = await readStored(nc, STREAMS.events, { seq: sequence });
  if (stored !== null) return { state: 'present', messageId: stored.header.get('Nats-Msg-Id') };
  const { state } = await withManager(nc, ({ streams }) => streams.info(STREAMS.events));
  return { state: state.last_seq >= sequence ? 'expired' : 'missing' };
}
