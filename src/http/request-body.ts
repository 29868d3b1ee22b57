import type { IncomingMessage, ServerResponse } from 'node:http';
import { HttpError } from './http-error.ts';

export interface BodyLimits {
  readonly maxBytes: number;
  /** For the whole body; bounds what a slow sender can hold. */
  readonly timeoutMs: number;
}

function tooLarge(maxBytes: number): HttpError {
  return new HttpError(
    413,
    'REQUEST_TOO_LARGE',
    `The request body is larger than ${maxBytes} bytes, the most that is taken here.`,
  );
}

/** Tells a sender that waits for leave (`Expect: 100-continue`) to send its body. */
export function continueIfAsked(req: IncomingMessage, res: ServerResponse): void {
  if (req.headers.expect?.toLowerCase() === '100-continue') res.writeContinue();
}

/** @throws HttpError 413, 408 or 400; what remains unread is the caller's to discard. */
export function readBody(
  req: IncomingMessage,
  res: ServerResponse,
  { maxBytes, timeoutMs }: BodyLimits,
): Promise<Buffer> {
  const declaredBytes = Number(req.headers['content-length'] ?? 0);
  if (declaredBytes > maxBytes) return Promise.reject(tooLarge(maxBytes));
  continueIfAsked(req, res);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    const settle = (finish: () => void) => {
      clearTimeout(timer);
      req.off('data', onData).off('end', onEnd).off('close', onClose);
      finish();
    };
    const onData = (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes > maxBytes) settle(() => reject(tooLarge(maxBytes)));
      else chunks.push(chunk);
    };
    const onEnd = () => settle(() => resolve(Buffer.concat(chunks, sizeBytes)));
    const onClose = () =>
      settle(() => reject(new HttpError(400, 'REQUEST_INTERRUPTED', 'The request ended before its body.')));
    const timer = setTimeout(
      () =>
        settle(() =>
          reject(new HttpError(408, 'REQUEST_TIMEOUT', 'The request body took too long to arrive.')),
        ),
      timeoutMs,
    );
    req.on('data', onData).on('end', onEnd).on('close', onClose);
  });
}
