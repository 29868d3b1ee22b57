import { on } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { HttpError } from './http-error.ts';

export interface BodyLimits {
  readonly maxBytes: number;
  /** For the whole body; bounds how long a slow sender occupies the server. */
  readonly timeoutMs: number;
}

/** Lets a client that waits for leave (`Expect: 100-continue`) send its body. */
export function continueIfAsked(req: IncomingMessage, res: ServerResponse): void {
  if (req.headers.expect?.toLowerCase() === '100-continue') res.writeContinue();
}

/** @throws HttpError 413, 408 or 400; the caller discards what is left unread. */
export async function readBody(
  req: IncomingMessage,
  res: ServerResponse,
  { maxBytes, timeoutMs }: BodyLimits,
): Promise<Buffer> {
  const tooLarge = () =>
    new HttpError(
      413,
      'REQUEST_TOO_LARGE',
      `The request body is larger than the maximum of ${maxBytes} bytes.`,
    );
  if (Number(req.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  continueIfAsked(req, res);
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), timeoutMs);
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    // Not the stream's own iterator, which destroys the request when the loop is left early.
    for await (const [chunk] of on(req, 'data', { signal: timeout.signal, close: ['end', 'close'] })) {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof HttpError) throw error;
    if (timeout.signal.aborted) {
      throw new HttpError(408, 'REQUEST_TIMEOUT', 'The request body took too long to arrive.');
    }
  } finally {
    clearTimeout(timer);
  }
  if (!req.complete) throw new HttpError(400, 'REQUEST_INTERRUPTED', 'The request ended before its body.');
  return Buffer.concat(chunks, sizeBytes);
}
