import { JetStreamApiError, jetstream } from '@nats-io/jetstream';
import { type NatsConnection, whileConnected } from './connection.ts';

export { JetStreamApiError } from '@nats-io/jetstream';

/** Error codes of JetStream's API; the same numbers in every server version. */
export const JETSTREAM_ERRORS = {
  consumerNotFound: 10014,
  messageNotFound: 10037,
  sequenceNotFound: 10043,
  streamUpdateRefused: 10052,
  messageDeleteFailed: 10057,
  streamNotFound: 10059,
  wrongLastSequence: 10071,
  wrongLastSequenceUnknown: 10164,
} as const;

const REQUEST_TIMEOUT_MS = 5_000;

/** A message as a stream holds it. */
export interface StoredMessage {
  readonly subject: string;
  readonly sequence: number;
  readonly bytes: Uint8Array;
  /** When the stream stored it, by the clock of NATS, as RFC 3339. */
  readonly storedAt: string;
}

/** @throws JetStreamApiError when JetStream refuses; the client's errors when nobody answers in time. */
export async function requestJetStream(
  nc: NatsConnection,
  endpoint: string,
  body: object,
  timeoutMs = REQUEST_TIMEOUT_MS,
): Promise<unknown> {
  const reply = await whileConnected(nc, timeoutMs, () =>
    nc.request(`$JS.API.${endpoint}`, JSON.stringify(body), { timeout: timeoutMs }),
  );
  const answer = reply.json<{ readonly error?: ApiFault }>();
  if (answer.error !== undefined) throw new JetStreamApiError(answer.error);
  return answer;
}

interface ApiFault {
  code: number;
  description: string;
  err_code: number;
}

/**
 * Reads from the stream's leader, which is never stale; the faster direct reads of replicas may be. Null
 * when there is no such message.
 */
export async function readStored(
  nc: NatsConnection,
  stream: string,
  query:
    | { readonly last_by_subj: string }
    | { readonly seq: number }
    | { readonly seq: number; readonly next_by_subj: string },
  timeoutMs = REQUEST_TIMEOUT_MS,
): Promise<StoredMessage | null> {
  try {
    const answer = (await requestJetStream(nc, `STREAM.MSG.GET.${stream}`, query, timeoutMs)) as {
      readonly message: {
        readonly subject: string;
        readonly seq: number;
        readonly data?: string;
        readonly time: string;
      };
    };
    const { subject, seq, data, time } = answer.message;
    return { subject, sequence: seq, bytes: Buffer.from(data ?? '', 'base64'), storedAt: time };
  } catch (error) {
    if (isJetStreamError(error, JETSTREAM_ERRORS.messageNotFound)) return null;
    throw error;
  }
}

export function isJetStreamError(error: unknown, ...codes: readonly number[]): error is JetStreamApiError {
  return error instanceof JetStreamApiError && codes.includes(error.code);
}

/** Publishes into a stream and waits until it is stored. */
export async function publishStored(
  nc: NatsConnection,
  subject: string,
  bytes: Uint8Array,
  options: {
    readonly messageId: string;
    readonly expectedSubjectSequence?: number;
    readonly timeoutMs?: number;
  },
): Promise<{ readonly sequence: number; readonly duplicate: boolean }> {
  const expect =
    options.expectedSubjectSequence === undefined
      ? {}
      : { expect: { lastSubjectSequence: options.expectedSubjectSequence } };
  const timeout = options.timeoutMs ?? REQUEST_TIMEOUT_MS;
  const ack = await whileConnected(nc, timeout, () =>
    jetstream(nc).publish(subject, bytes, { msgID: options.messageId, timeout, ...expect }),
  );
  return { sequence: ack.seq, duplicate: ack.duplicate };
}
