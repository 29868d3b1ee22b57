import type { z } from 'zod';

/** No message of the protocol is larger. JetStream's own default limit is 1 MiB. */
export const MAX_MESSAGE_BYTES = 512 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** A message that is not what its subject promises: not JSON, not the schema, or too large. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}

/** @throws CodecError when the message is over MAX_MESSAGE_BYTES. */
export function encode(message: object): Uint8Array {
  const bytes = encoder.encode(JSON.stringify(message));
  if (bytes.byteLength > MAX_MESSAGE_BYTES) {
    throw new CodecError(`message of ${bytes.byteLength} bytes is over the limit of ${MAX_MESSAGE_BYTES}`);
  }
  return bytes;
}

/** @throws CodecError naming the first field that is wrong. */
export function decode<Schema extends z.ZodType>(schema: Schema, bytes: Uint8Array): z.infer<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw new CodecError('message is not JSON in UTF-8', { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new CodecError(`message field ${issue?.path.join('.') || '(root)'}: ${issue?.message}`);
}

/**
 * `Nats-Msg-Id` of an event. JetStream checks duplicates before the expected sequence, so the id holds
 * the random runId: two workers on one attempt can never take each other's event for their own.
 */
export const eventId = (event: {
  readonly runId: string;
  readonly ordinal: number;
  readonly jobId: string;
}): string => `${event.jobId}:${event.runId}:${event.ordinal}`;

/** `Nats-Msg-Id` of a task. */
export const taskId = (task: {
  readonly jobId: string;
  readonly attempt: number;
  readonly publication: number;
}): string => `${task.jobId}:${task.attempt}:${task.publication}`;
