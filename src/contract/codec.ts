import type { z } from 'zod';

/** The largest message of the protocol. JetStream's own default limit is 1 MiB. */
export const MAX_MESSAGE_BYTES = 512 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

/** A message that is not JSON, does not match its schema, names another job, or is too large. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}

/**
 * The text with U+FFFD in place of what Postgres refuses to store: NUL, and halves of surrogate pairs, such as
 * a text that was cut within an emoji has at its end.
 */
export function storableText(text: string): string {
  return text.replaceAll('\0', '\u{fffd}').replaceAll(/\p{Surrogate}/gu, '\u{fffd}');
}

/** JSON can write such characters as escapes only. A message without these escapes needs no second look. */
const SUSPICIOUS_ESCAPE = /\\u(?:0000|d[89a-f])/i;
const storable = (_key: string, value: unknown): unknown =>
  typeof value === 'string' ? storableText(value) : value;

/**
 * Makes every text of the message storable.
 *
 * @throws CodecError when the message is larger than MAX_MESSAGE_BYTES.
 */
export function encode(message: object): Uint8Array {
  let text = JSON.stringify(message);
  if (SUSPICIOUS_ESCAPE.test(text)) text = JSON.stringify(message, storable);
  const bytes = encoder.encode(text);
  if (bytes.byteLength > MAX_MESSAGE_BYTES) {
    throw new CodecError(`message of ${bytes.byteLength} bytes is over the limit of ${MAX_MESSAGE_BYTES}`);
  }
  return bytes;
}

/**
 * Makes every text of the message storable, since writers in other languages may not.
 *
 * @throws CodecError that names the first wrong field.
 */
export function decode<Schema extends z.ZodType>(schema: Schema, bytes: Uint8Array): z.infer<Schema> {
  const result = schema.safeParse(parse(bytes));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new CodecError(`message field ${issue?.path.join('.') || '(root)'}: ${issue?.message}`);
}

/**
 * Decodes a message about the job that its subject names. The subject is what NATS checks permissions on, so a
 * payload that names another job is refused.
 *
 * @throws CodecError
 */
export function decodeAbout<Schema extends z.ZodType<{ readonly jobId: string }>>(
  jobId: string,
  schema: Schema,
  bytes: Uint8Array,
): z.infer<Schema> {
  const message = decode(schema, bytes);
  if (message.jobId === jobId) return message;
  throw new CodecError(`message field jobId: ${message.jobId} on a subject of ${jobId}`);
}

/** As `decodeAbout`, for messages that a reader may ignore: null instead of a CodecError. */
export function decodeOrNull<Schema extends z.ZodType<{ readonly jobId: string }>>(
  jobId: string,
  schema: Schema,
  bytes: Uint8Array,
): z.infer<Schema> | null {
  try {
    return decodeAbout(jobId, schema, bytes);
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}

function parse(bytes: Uint8Array): unknown {
  try {
    const text = decoder.decode(bytes);
    return SUSPICIOUS_ESCAPE.test(text) ? JSON.parse(text, storable) : JSON.parse(text);
  } catch (cause) {
    throw new CodecError('message is not JSON in UTF-8', { cause });
  }
}

/**
 * `Nats-Msg-Id` of an event. JetStream looks for duplicates before it checks the expected sequence, so the id
 * contains the random run id: two workers with the same attempt cannot mistake each other's event for their own.
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
