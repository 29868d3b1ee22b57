import type { IncomingMessage, ServerResponse } from 'node:http';

/** An error outside GraphQL; its message is for the caller. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

export function sendJson(res: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': body.length });
  res.end(body);
}

const MAX_DISCARD_BYTES = 64 * 1024 * 1024;
const MAX_DISCARD_MS = 3000;

/** The same shape as a GraphQL error, so that clients need one parser. */
function errorBody(error: HttpError, requestId: string): Buffer {
  const extensions = { code: error.code, requestId };
  return Buffer.from(`${JSON.stringify({ errors: [{ message: error.message, extensions }] })}\n`);
}

/**
 * Answers immediately, then reads what the client is still sending, within limits: closing a connection with unread
 * bytes resets it, and the client would lose the answer.
 */
export function sendError(
  req: IncomingMessage,
  res: ServerResponse,
  error: HttpError,
  requestId: string,
): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const body = errorBody(error, requestId);
  const headers = {
    ...error.headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(body.length),
  };
  if (req.complete) {
    res.writeHead(error.status, headers).end(req.method === 'HEAD' ? undefined : body);
    return;
  }
  res.writeHead(error.status, { ...headers, connection: 'close' });
  res.write(body);
  discardRest(req, () => res.end());
}

function discardRest(req: IncomingMessage, done: () => void): void {
  let discardedBytes = 0;
  const finish = () => {
    clearTimeout(timer);
    req.removeAllListeners('data');
    done();
  };
  const timer = setTimeout(finish, MAX_DISCARD_MS);
  req.once('close', finish);
  req.once('end', finish);
  req.on('data', (chunk: Buffer) => {
    discardedBytes += chunk.length;
    if (discardedBytes > MAX_DISCARD_BYTES) finish();
  });
  req.resume();
}
