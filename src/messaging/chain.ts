import { setTimeout as delay } from 'node:timers/promises';
import { CodecError, decodeAbout, decodeOrNull, encode, eventId } from '../contract/codec.ts';
import { EventMessage, ProgressMessage } from '../contract/messages.ts';
import { eventSubject, liveEventSubject, liveProgressSubject, STREAMS } from '../contract/subjects.ts';
import { sleep } from '../process/wait.ts';
import type { NatsConnection } from './connection.ts';
import { isJetStreamError, JETSTREAM_ERRORS, publishStored, readStored } from './jetstream.ts';

/** An event, or why this version cannot read it. */
export type DecodedEvent =
  | { readonly event: EventMessage; readonly malformed: null }
  | { readonly event: null; readonly malformed: CodecError };

/** The newest event of a job. The next one must expect its sequence. */
export type ChainEnd = DecodedEvent & { readonly sequence: number };

export type Appended =
  | { readonly accepted: true; readonly sequence: number; readonly duplicate: boolean }
  /** Another writer was faster. */
  | { readonly accepted: false };

/** How long another write to the same subject gets to finish; a multiple of it after each further try. */
const WRITE_IN_PROGRESS_MS = 100;
const MAX_TRIES = 8;

export function decodeEvent(jobId: string, bytes: Uint8Array): DecodedEvent {
  try {
    return { event: decodeAbout(jobId, EventMessage, bytes), malformed: null };
  } catch (error) {
    if (error instanceof CodecError) return { event: null, malformed: error };
    throw error;
  }
}

/** Null while the job has no event; the first event must expect sequence 0. */
export async function readChainEnd(
  nc: NatsConnection,
  jobId: string,
  timeoutMs?: number,
): Promise<ChainEnd | null> {
  const stored = await readStored(nc, STREAMS.events, { last_by_subj: eventSubject(jobId) }, timeoutMs);
  return stored === null ? null : { ...decodeEvent(jobId, stored.data), sequence: stored.seq };
}

/**
 * Appends to a job's chain if `expectedSequence` is still its end. A refusal means that the writer has lost the job.
 * May be repeated after a lost answer: the repeat gets the sequence of the first.
 *
 * @throws CodecError for an event that is too large; JetStream's and the client's errors otherwise.
 */
export async function appendEvent(
  nc: NatsConnection,
  event: EventMessage,
  expectedSequence: number,
  timeoutMs?: number,
): Promise<Appended> {
  const bytes = encode(event);
  const options = { messageId: eventId(event), expectedSubjectSequence: expectedSequence, timeoutMs };
  const publish = () => publishStored(nc, eventSubject(event.jobId), bytes, options);
  try {
    return { accepted: true, ...(await afterOtherWrites(publish)) };
  } catch (error) {
    if (!isJetStreamError(error, JETSTREAM_ERRORS.wrongLastSequence)) throw error;
    return adoptOwn(nc, event, timeoutMs);
  }
}

/** While another write to the subject is under way, nothing is decided: it may even be this one's own first try. */
async function afterOtherWrites<Stored>(publish: () => Promise<Stored>): Promise<Stored> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await publish();
    } catch (error) {
      const mayPass = isJetStreamError(error, JETSTREAM_ERRORS.writeInProgress) && tries < MAX_TRIES;
      if (!mayPass) throw error;
      await delay(WRITE_IN_PROGRESS_MS * tries);
    }
  }
}

/**
 * A refusal can be the writer's own doing, after the answer to its first try was lost: newer servers check the
 * expected sequence before they look for duplicates (2.9 does it the other way round).
 */
async function adoptOwn(nc: NatsConnection, event: EventMessage, timeoutMs?: number): Promise<Appended> {
  const subject = eventSubject(event.jobId);
  const stored = await readStored(nc, STREAMS.events, { last_by_subj: subject }, timeoutMs);
  if (stored?.header.get('Nats-Msg-Id') !== eventId(event)) return { accepted: false };
  return { accepted: true, sequence: stored.seq, duplicate: true };
}

/**
 * Whether a run shows activity, by an event or by progress, within the time. An event of another run answers at
 * once: it ended this one.
 */
export async function isRunActive(
  nc: NatsConnection,
  run: { readonly jobId: string; readonly runId: string },
  withinMs: number,
): Promise<boolean> {
  let isActive = false;
  const decided = new AbortController();
  const watch = (subject: string, schema: typeof EventMessage | typeof ProgressMessage) =>
    nc.subscribe(subject, {
      callback: (error, { data }) => {
        const message = error === null ? decodeOrNull(run.jobId, schema, data) : null;
        if (message === null || (message.runId !== run.runId && schema === ProgressMessage)) return;
        isActive = message.runId === run.runId;
        decided.abort();
      },
    });
  const subscriptions = [
    watch(liveEventSubject(run.jobId), EventMessage),
    watch(liveProgressSubject(run.jobId), ProgressMessage),
  ];
  await sleep(withinMs, decided.signal);
  for (const subscription of subscriptions) subscription.unsubscribe();
  return isActive;
}
