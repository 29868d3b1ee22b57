import { CodecError, decode, encode, factId } from '../contract/codec.ts';
import { FactMessage } from '../contract/messages.ts';
import { eventSubject, STREAMS } from '../contract/subjects.ts';
import type { NatsConnection } from './connection.ts';
import { isJetStreamError, JETSTREAM_ERRORS, publishStored, readStored } from './jetstream-request.ts';

/** The last message of a job's chain is no fact we know; `sequence` is its place all the same. */
export class MalformedFactError extends CodecError {
  readonly sequence: number;

  constructor(sequence: number, options: ErrorOptions & { readonly message: string }) {
    super(options.message, options);
    this.sequence = sequence;
  }
}

/**
 * The last fact of a job and its sequence, which the next fact must expect. Null when there is none yet:
 * the next fact then expects 0.
 *
 * @throws MalformedFactError
 */
export async function readLastFact(
  nc: NatsConnection,
  jobId: string,
  timeoutMs?: number,
): Promise<{ readonly fact: FactMessage; readonly sequence: number } | null> {
  const stored = await readStored(nc, STREAMS.events, { last_by_subj: eventSubject(jobId) }, timeoutMs);
  if (stored === null) return null;
  try {
    return { fact: decode(FactMessage, stored.bytes), sequence: stored.sequence };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new MalformedFactError(stored.sequence, { message, cause });
  }
}

/**
 * Appends to a job's chain if nobody else has since `expectedSequence`. A refusal means that the writer has
 * lost the job. Safe to repeat after a lost answer: the repeat is told the sequence of the first.
 *
 * @throws CodecError for a fact that is too large; JetStream's and the client's errors otherwise.
 */
export async function appendFact(
  nc: NatsConnection,
  fact: FactMessage,
  expectedSequence: number,
  timeoutMs?: number,
): Promise<
  | { readonly accepted: true; readonly sequence: number; readonly duplicate: boolean }
  | { readonly accepted: false }
> {
  try {
    const stored = await publishStored(nc, eventSubject(fact.jobId), encode(fact), {
      messageId: factId(fact),
      expectedSubjectSequence: expectedSequence,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    return { accepted: true, ...stored };
  } catch (error) {
    const { wrongLastSequence, wrongLastSequenceUnknown } = JETSTREAM_ERRORS;
    if (isJetStreamError(error, wrongLastSequence, wrongLastSequenceUnknown)) return { accepted: false };
    throw error;
  }
}
