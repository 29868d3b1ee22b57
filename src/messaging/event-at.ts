import { CodecError, decode, factId } from '../contract/codec.ts';
import { FactMessage } from '../contract/messages.ts';
import { STREAMS } from '../contract/subjects.ts';
import type { NatsConnection } from './connection.ts';
import { readStored, requestJetStream } from './jetstream-request.ts';

export type FactAt =
  | { readonly state: 'present'; readonly messageId: string | null }
  /** It lay before what the stream still holds. */
  | { readonly state: 'expired' }
  /** The stream never got that far, so it is not the stream that was read before. */
  | { readonly state: 'missing' };

/** What EVENTS holds at a sequence; tells a stream that lost its end from one that merely aged. */
export async function factAt(nc: NatsConnection, sequence: number): Promise<FactAt> {
  const stored = await readStored(nc, STREAMS.events, { seq: sequence });
  if (stored !== null) return { state: 'present', messageId: idOf(stored.bytes) };
  const info = (await requestJetStream(nc, `STREAM.INFO.${STREAMS.events}`, {})) as {
    readonly state: { readonly last_seq: number };
  };
  return { state: info.state.last_seq >= sequence ? 'expired' : 'missing' };
}

/** Null for a message that is no fact: it was quarantined and has no id to compare. */
function idOf(bytes: Uint8Array): string | null {
  try {
    return factId(decode(FactMessage, bytes));
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}
