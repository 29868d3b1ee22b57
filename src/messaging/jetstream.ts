import {
  JetStreamApiError,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  type StoredMsg,
} from '@nats-io/jetstream';
import { type NatsConnection, whileConnected } from './connection.ts';

/** JetStream's error codes as far as we react to them; every server version has the same numbers. */
export const JETSTREAM_ERRORS = {
  consumerNotFound: 10014,
  sequenceNotFound: 10043,
  streamUpdateRefused: 10052,
  messageDeleteFailed: 10057,
  streamNotFound: 10059,
  wrongLastSequence: 10071,
  /** Only on a cluster: another write to the subject is under way. */
  writeInProgress: 10164,
} as const;

const TIMEOUT_MS = 5_000;

export function isJetStreamError(error: unknown, ...codes: readonly number[]): error is JetStreamApiError {
  return error instanceof JetStreamApiError && codes.includes(error.code);
}

/** @throws JetStreamApiError when JetStream refuses; the client's errors when no answer comes in time. */
export async function withManager<Answer>(
  nc: NatsConnection,
  ask: (manager: JetStreamManager) => Promise<Answer>,
  timeout = TIMEOUT_MS,
): Promise<Answer> {
  const manager = await jetstreamManager(nc, { checkAPI: false, timeout });
  return whileConnected(nc, timeout, () => ask(manager));
}

/**
 * Reads a message from the stream's leader; null when there is none. Direct reads would be faster, but the
 * replica that answers them may be behind.
 */
export function readStored(
  nc: NatsConnection,
  stream: string,
  query: { readonly last_by_subj: string } | { readonly seq: number; readonly next_by_subj?: string },
  timeout?: number,
): Promise<StoredMsg | null> {
  return withManager(nc, (manager) => manager.streams.getMessage(stream, query), timeout);
}

/** Publishes into a stream and waits until the message is stored. */
export async function publishStored(
  nc: NatsConnection,
  subject: string,
  bytes: Uint8Array,
  options: {
    readonly messageId: string;
    readonly expectedSubjectSequence?: number;
    readonly timeoutMs?: number | undefined;
  },
): Promise<{ readonly sequence: number; readonly duplicate: boolean }> {
  const { messageId, expectedSubjectSequence, timeoutMs: timeout = TIMEOUT_MS } = options;
  const expect =
    expectedSubjectSequence === undefined ? {} : { lastSubjectSequence: expectedSubjectSequence };
  const { seq, duplicate } = await whileConnected(nc, timeout, () =>
    jetstream(nc).publish(subject, bytes, { msgID: messageId, timeout, expect }),
  );
  return { sequence: seq, duplicate };
}
