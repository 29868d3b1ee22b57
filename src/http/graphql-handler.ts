import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createYoga, type YogaServerInstance } from 'graphql-yoga';
import type { Application } from '../app/application.ts';
import type { Principal } from '../domain/principal.ts';
import { createLoaders, type GraphQLContext } from '../graphql/context.ts';
import { createErrorMask, executionTimeout, httpStatusOfErrors } from '../graphql/errors.ts';
import { documentLimits } from '../graphql/limits.ts';
import { schema } from '../graphql/schema.ts';
import type { Logger } from '../observability/logger.ts';
import { onAbort } from '../process/wait.ts';
import { HttpError } from './http-error.ts';
import { readBody } from './request-body.ts';
import { currentRequestId } from './request-context.ts';

/** Known about an operation before it is parsed. */
export interface OperationContext {
  readonly principal: Principal;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

export type GraphQLServer = YogaServerInstance<OperationContext, GraphQLContext>;

const MAX_BODY_BYTES = 256 * 1024;
const BODY_TIMEOUT_MS = 30_000;
const EXECUTION_TIMEOUT_MS = 10_000;
/** A form of another origin can send text/plain and urlencoded bodies without a preflight, but not JSON. */
const CONTENT_TYPE = /^application\/(json|graphql\+json|graphql)\s*(;|$)/i;

export function createGraphQLServer(
  app: Application,
  log: Logger,
  executionTimeoutMs = EXECUTION_TIMEOUT_MS,
): GraphQLServer {
  const maskError = createErrorMask({
    requestId: currentRequestId,
    log: (err, requestId) => log.error({ err, requestId }, 'operation failed'),
  });
  return createYoga<OperationContext, GraphQLContext>({
    schema,
    context: ({ principal, requestId, signal }) => {
      const api = app.as(principal);
      return { api, requestId, signal, loaders: createLoaders(api) };
    },
    plugins: [...documentLimits(), executionTimeout(executionTimeoutMs), httpStatusOfErrors()],
    maskedErrors: { maskError: (error) => maskError(error) },
    // Unexpected errors are logged where they are masked.
    logging: false,
    graphiql: false,
    landingPage: false,
    batching: false,
    multipart: false,
    cors: false,
    // `readBody` limits the body; yoga's own limit triples the cost of a POST.
    maxRequestBodySize: false,
  });
}

/** Answers GET and POST; a subscription is answered with server-sent events. */
export async function handleGraphQL(
  server: GraphQLServer,
  req: IncomingMessage,
  res: ServerResponse,
  context: OperationContext,
): Promise<void> {
  const init: RequestInit = {
    method: req.method ?? 'GET',
    headers: headersOf(req),
    signal: context.signal,
  };
  if (req.method === 'POST') {
    if (!CONTENT_TYPE.test(req.headers['content-type'] ?? '')) {
      throw new HttpError(415, 'UNSUPPORTED_MEDIA_TYPE', 'Send the operation as application/json.');
    }
    const body = await readBody(req, res, { maxBytes: MAX_BODY_BYTES, timeoutMs: BODY_TIMEOUT_MS });
    init.body = body.toString('utf8');
  }
  const response = await server.fetch(new URL(req.url ?? '/', 'http://localhost').href, init, context);
  response.headers.forEach((value, name) => {
    res.setHeader(name, value);
  });
  res.statusCode = response.status;
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  if (!isStream || response.body === null) {
    res.end(Buffer.from(await response.arrayBuffer()));
    return;
  }
  await pump(response.body, res, context.signal);
}

function headersOf(req: IncomingMessage): [string, string][] {
  return Object.entries(req.headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value] as [string, string]],
  );
}

/** Reads as fast as the client does, and cancels the source when the client disconnects. */
async function pump(
  body: ReadableStream<Uint8Array>,
  res: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const reader = body.getReader();
  const forget = onAbort(signal, () => {
    reader.cancel().catch(() => res.destroy());
  });
  try {
    res.socket?.setNoDelay(true);
    while (!signal.aborted) {
      const { done, value } = await reader.read();
      // After a cancel the stream ends as if its source had completed, which must not reach the client.
      if (done || signal.aborted) break;
      if (!res.write(value)) await once(res, 'drain', { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    forget();
    res.end();
  }
}
