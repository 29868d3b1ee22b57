import { CodecError, decode, eventId } from '../contract/codec.ts';
import { EventMessage } from '../contract/messages.ts';
import { STREAMS } from '../contract/subjects.ts';
import type { NatsConnection } from './connection.ts';
import { readStored, requestJetStream } from './jetstream-request.ts';

export type EventAt =
  | { readonly state: 'present'; readonly messageId: string | null }
  /** It lay before what the stream still holds. */
  | { readonly state: 'expired' }
  /** The stream never got that far, so it is not the stream that was read before. */
  | { readonly state: 'missing' };

/** What EVENTS holds at a sequence; tells a stream that lost its end from one that merely aged. */
export async function eventAt(nc: NatsConnection, sequence: number): Promise<EventAt> {
  const stored = await readStored(nc, STREAMS.events, { seq: sequence });
  if (stored !== null) return { state: 'present', messageId: idOf(stored.bytes) };
  const info = (await requestJetStream(nc, `STREAM.INFO.${STREAMS.events}`, {})) as {
    readonly state: { readonly last_seq: number };
  };
  return { state: info.state.last_seq >= sequence ? 'expired' : 'missing' };
}

/** Null for a message that is no event: it was quarantined and has no id to compare. */
function idOf(bytes: Uint8Array): string | null {
  try {
    return eventId(decode(EventMessage, bytes));
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}
