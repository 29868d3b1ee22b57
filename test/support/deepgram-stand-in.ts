import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { DEFAULT_SCRIPT, ERROR_BODIES, listenAnswer, type Script } from './deepgram-answers.ts';

/**
 * Answers `POST /v1/listen` as Deepgram's public API documents it (developers.deepgram.com: API
 * reference of `/v1/listen`, "Errors"), and misbehaves on demand. Bodies are counted and hashed, not kept.
 */
export interface DeepgramStandIn {
  /** With a path, as self-hosted installations have. */
  readonly baseUrl: string;
  /** The only key it takes. */
  readonly apiKey: string;
  readonly requests: readonly RecordedRequest[];
  /** Answers to the next requests, in order. */
  next(...replies: readonly Reply[]): void;
  /** The answer to every request that `next` has none for. */
  otherwise(reply: Reply): void;
  /** Resolves once so many requests have arrived in all (their headers; the body may still come). */
  arrived(count: number): Promise<void>;
  close(): Promise<void>;
}

interface RecordedRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly contentType: string | null;
  readonly contentLength: number | null;
  /** The URL to fetch, where the body was JSON. */
  readonly url: string | null;
  readonly bytes: number;
  readonly sha256: string | null;
  /** The client closed before it had the whole answer. */
  readonly aborted: boolean;
}

export type Reply =
  | { readonly kind: 'transcript'; readonly script?: Partial<Script> }
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
      /** Answers without reading the body, and closes. */
      readonly early?: boolean;
    }
  /** A 200 whose body is this text. */
  | { readonly kind: 'text'; readonly text: string }
  /** The connection ends: before the answer, or in the middle of its body. */
  | { readonly kind: 'cut'; readonly after: 'request' | 'headers' }
  /** Nothing more comes: no answer at all, or a body that stops in its middle; until the promise resolves. */
  | { readonly kind: 'stall'; readonly at: 'request' | 'body'; readonly until?: Promise<void> };

export async function startDeepgramStandIn(): Promise<DeepgramStandIn> {
  const apiKey = `stand-in-${randomUUID()}`;
  const queue: Reply[] = [];
  const requests: RecordedRequest[] = [];
  const waiters: { count: number; resolve: () => void }[] = [];
  let fallback: Reply = { kind: 'transcript' };

  const server = createServer((request, response) => {
    void handle(request, response);
  });
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const record = startRecord(request);
    requests.push(record);
    for (const waiter of waiters) if (requests.length >= waiter.count) waiter.resolve();
    response.on('close', () => {
      if (!response.writableFinished) record.aborted = true;
    });
    response.setHeader('dg-request-id', randomUUID());
    const reply = queue.shift() ?? fallback;
    if (reply.kind === 'status' && reply.early === true) {
      response.setHeader('connection', 'close');
      return sendStatus(response, reply.status);
    }
    if (!(await readBody(request, record))) return;
    if (request.method !== 'POST' || record.path !== '/prefix/v1/listen') return sendStatus(response, 404);
    if (request.headers.authorization !== `Token ${apiKey}`) return sendStatus(response, 401);
    await send(response, reply, record.query);
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/prefix`,
    apiKey,
    requests,
    next: (...replies) => void queue.push(...replies),
    otherwise: (reply) => {
      fallback = reply;
    },
    arrived: (count) =>
      new Promise((resolve) => {
        if (requests.length >= count) resolve();
        else waiters.push({ count, resolve });
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type OpenRecord = { -readonly [Key in keyof RecordedRequest]: RecordedRequest[Key] };

function startRecord(request: IncomingMessage): OpenRecord {
  const target = new URL(request.url ?? '/', 'http://stand-in');
  const length = request.headers['content-length'];
  return {
    path: target.pathname,
    query: target.searchParams,
    contentType: request.headers['content-type'] ?? null,
    contentLength: length === undefined ? null : Number(length),
    url: null,
    bytes: 0,
    sha256: null,
    aborted: false,
  };
}

/** False when the client went away before the end. */
async function readBody(request: IncomingMessage, record: OpenRecord): Promise<boolean> {
  const hash = createHash('sha256');
  const isJson = record.contentType?.startsWith('application/json') ?? false;
  let text = '';
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      record.bytes += chunk.byteLength;
      hash.update(chunk);
      if (isJson) text += chunk.toString('utf8');
    }
  } catch {
    record.aborted = true;
    return false;
  }
  record.sha256 = hash.digest('hex');
  if (isJson) record.url = (JSON.parse(text) as { url?: string }).url ?? null;
  return true;
}

function sendStatus(response: ServerResponse, status: number, body: unknown = ERROR_BODIES[status]): void {
  const requestId = response.getHeader('dg-request-id');
  const isObject = typeof body === 'object' && body !== null;
  response.statusCode = status;
  response.setHeader('content-type', isObject ? 'application/json' : 'text/html');
  response.end(isObject ? JSON.stringify({ ...body, request_id: requestId }) : String(body ?? 'Not Found'));
}

async function send(response: ServerResponse, reply: Reply, query: URLSearchParams): Promise<void> {
  switch (reply.kind) {
    case 'status':
      for (const [name, value] of Object.entries(reply.headers ?? {})) response.setHeader(name, value);
      return sendStatus(response, reply.status, reply.body ?? ERROR_BODIES[reply.status]);
    case 'text':
      response.end(reply.text);
      return;
    case 'cut':
      if (reply.after === 'headers') await writeHalf(response);
      response.destroy();
      return;
    case 'stall':
      if (reply.at === 'body') await writeHalf(response);
      if (reply.until === undefined) return;
      await reply.until;
      return sendTranscript(response, DEFAULT_SCRIPT, query);
    case 'transcript':
      return sendTranscript(response, { ...DEFAULT_SCRIPT, ...reply.script }, query);
  }
}

async function writeHalf(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/json' });
  await new Promise((resolve) => response.write('{"metadata":{"request_id":"', resolve));
}

function sendTranscript(response: ServerResponse, script: Script, query: URLSearchParams): void {
  const requestId = String(response.getHeader('dg-request-id'));
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(listenAnswer(script, query, requestId)));
}
