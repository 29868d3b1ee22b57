import { CodecError, decode, encode, eventId } from '../contract/codec.ts';
import { EventMessage } from '../contract/messages.ts';
import { eventSubject, STREAMS } from '../contract/subjects.ts';
import type { NatsConnection } from './connection.ts';
import { isJetStreamError, JETSTREAM_ERRORS, publishStored, readStored } from './jetstream-request.ts';

/** The last message of a job's chain is no event we know; `sequence` is its place all the same. */
export class MalformedEventError extends CodecError {
  readonly sequence: number;

  constructor(sequence: number, options: ErrorOptions & { readonly message: string }) {
    super(options.message, options);
    this.sequence = sequence;
  }
}

interface Refused {
  readonly accepted: false;
}

/**
 * The last event of a job and its sequence, which the next event must expect. Null when there is none yet:
 * the next event then expects 0.
 *
 * @throws MalformedEventError
 */
export async function readLastEvent(
  nc: NatsConnection,
  jobId: string,
  timeoutMs?: number,
): Promise<{ readonly event: EventMessage; readonly sequence: number } | null> {
  const stored = await readStored(nc, STREAMS.events, { last_by_subj: eventSubject(jobId) }, timeoutMs);
  if (stored === null) return null;
  try {
    return { event: decode(EventMessage, stored.bytes), sequence: stored.sequence };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new MalformedEventError(stored.sequence, { message, cause });
  }
}

/**
 * Appends to a job's chain if nobody else has since `expectedSequence`. A refusal means that the writer has
 * lost the job. Safe to repeat after a lost answer: the repeat is told the sequence of the first.
 *
 * @throws CodecError for an event that is too large; JetStream's and the client's errors otherwise.
 */
export async function appendEvent(
  nc: NatsConnection,
  event: EventMessage,
  expectedSequence: number,
  timeoutMs?: number,
): Promise<{ readonly accepted: true; readonly sequence: number; readonly duplicate: boolean } | Refused> {
  try {
    const stored = await publishStored(nc, eventSubject(event.jobId), encode(event), {
      messageId: eventId(event),
      expectedSubjectSequence: expectedSequence,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    return { accepted: true, ...stored };
  } catch (error) {
    const { wrongLastSequence, wrongLastSequenceUnknown } = JETSTREAM_ERRORS;
    if (!isJetStreamError(error, wrongLastSequence, wrongLastSequenceUnknown)) throw error;
    return adoptOwn(nc, event, timeoutMs);
  }
}

/**
 * A refusal may be our own doing: the answer to the first try got lost, and this server checks the expected
 * sequence before it looks for duplicates (2.9 does it the other way round), or has forgotten them.
 */
async function adoptOwn(
  nc: NatsConnection,
  event: EventMessage,
  timeoutMs: number | undefined,
): Promise<{ readonly accepted: true; readonly sequence: number; readonly duplicate: boolean } | Refused> {
  const last = await readLastEvent(nc, event.jobId, timeoutMs);
  if (last === null || eventId(last.event) !== eventId(event)) return { accepted: false };
  return { accepted: true, sequence: last.sequence, duplicate: true };
}
