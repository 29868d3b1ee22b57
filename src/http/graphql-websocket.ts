import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ExecutionArgs, GraphQLError } from 'graphql';
import { handleProtocols, makeServer } from 'graphql-ws';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Principal } from '../domain/principal.ts';
import type { Logger } from '../observability/logger.ts';
import { isAllowedOrigin } from './cross-origin.ts';
import type { GraphQLServer } from './graphql-handler.ts';
import { currentRequestId, requestIdFrom, withRequestId } from './request-context.ts';
import { BoundedSender, type StallLimits } from './stalled-reader.ts';

export interface WebSocketLimits extends StallLimits {
  /** Open sockets in this process; above, upgrades are refused with 503. */
  readonly maxConnections: number;
  readonly maxMessageBytes: number;
  readonly maxOperations: number;
  readonly connectionInitMs: number;
  readonly keepAliveMs: number;
}

export const WEBSOCKET_LIMITS: Omit<WebSocketLimits, 'maxConnections'> = {
  maxMessageBytes: 64 * 1024,
  maxOperations: 20,
  connectionInitMs: 3000,
  keepAliveMs: 12_000,
  maxUnsentBytes: 1024 * 1024,
  stallMs: 30_000,
};

export interface WebSocketDeps {
  readonly graphql: GraphQLServer;
  readonly log: Logger;
  readonly allowedOrigins: readonly string[];
  readonly limits: WebSocketLimits;
  authenticate(
    request: IncomingMessage,
    connectionParams: Readonly<Record<string, unknown>>,
  ): Promise<Principal>;
}

/** WebSocket close code registry: the server restarts; clients reconnect. */
const SERVICE_RESTART = 1012;
const INTERNAL_ERROR = 1011;

interface Connection extends Record<PropertyKey, unknown> {
  readonly request: IncomingMessage;
  readonly gone: AbortSignal;
  principal: Principal | null;
}

type EnvelopedArgs = ExecutionArgs & Pick<ReturnType<GraphQLServer['getEnveloped']>, 'execute' | 'subscribe'>;

/** graphql-transport-ws on `/graphql`. */
export class GraphQLWebSocket {
  readonly #deps: WebSocketDeps;
  readonly #sockets: WebSocketServer;
  readonly #protocol: ReturnType<typeof makeServer<Record<string, unknown>, Connection>>;

  constructor(deps: WebSocketDeps) {
    this.#deps = deps;
    this.#sockets = new WebSocketServer({
      noServer: true,
      maxPayload: deps.limits.maxMessageBytes,
      perMessageDeflate: false,
      handleProtocols,
    });
    this.#protocol = makeServer<Record<string, unknown>, Connection>({
      connectionInitWaitTimeout: deps.limits.connectionInitMs,
      onConnect: async (ctx) => {
        ctx.extra.principal = await deps.authenticate(ctx.extra.request, ctx.connectionParams ?? {});
      },
      onSubscribe: async (ctx, _id, payload) => {
        try {
          return await this.#prepare(ctx, payload);
        } catch (error) {
          // If thrown, it would close the socket and end all other operations on it.
          return [error instanceof GraphQLError ? refusal(error) : this.#unexpected(error)];
        }
      },
      onNext: (_ctx, _id, _payload, _args, result) =>
        result.errors === undefined
          ? undefined
          : { ...result, errors: result.errors.map((error) => withoutHttp(error).toJSON()) },
      execute: (args) => (args as EnvelopedArgs).execute(args),
      subscribe: (args) => (args as EnvelopedArgs).subscribe(args),
    });
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!isAllowedOrigin(request, this.#deps.allowedOrigins)) {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    if (this.connections >= this.#deps.limits.maxConnections) {
      socket.end(
        'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
      );
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => this.#accept(webSocket, request));
  }

  get connections(): number {
    return this.#sockets.clients.size;
  }

  /** Closes every socket with code 1012, and terminates those that do not close within the grace. */
  async close(graceMs: number): Promise<void> {
    const closed = once(this.#sockets, 'close');
    this.#sockets.close();
    for (const socket of this.#sockets.clients) socket.close(SERVICE_RESTART, 'Service restart');
    const timer = setTimeout(() => {
      for (const socket of this.#sockets.clients) socket.terminate();
    }, graceMs);
    await closed;
    clearTimeout(timer);
  }

  #accept(socket: WebSocket, request: IncomingMessage): void {
    const { limits, log } = this.#deps;
    const gone = new AbortController();
    const sender = new BoundedSender(socket, limits);
    const connection: Connection = { request, gone: gone.signal, principal: null };
    const closed = this.#protocol.opened(
      {
        protocol: socket.protocol,
        send: (data) => sender.send(data),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (handle) =>
          socket.on('message', (data) => {
            withRequestId(requestIdFrom(undefined), () =>
              handle(String(data)).catch((error: unknown) => {
                log.error(
                  { err: error, requestId: currentRequestId() },
                  'failed to handle a websocket message',
                );
                socket.close(INTERNAL_ERROR, 'Internal error');
              }),
            );
          }),
      },
      connection,
    );
    keepAlive(socket, sender, limits.keepAliveMs);
    socket.on('error', (err) => log.debug({ err }, 'websocket error'));
    socket.once('close', (code, reason) => {
      gone.abort();
      closed(code, String(reason)).catch((err: unknown) =>
        log.warn({ err }, 'failed to clean up after a websocket'),
      );
    });
  }

  async #prepare(
    ctx: { readonly extra: Connection; readonly subscriptions: Record<string, unknown> },
    payload: { readonly query: string; readonly operationName?: string | null | undefined } & {
      readonly variables?: Record<string, unknown> | null | undefined;
    },
  ): Promise<ExecutionArgs | readonly GraphQLError[]> {
    const { maxOperations } = this.#deps.limits;
    if (Object.keys(ctx.subscriptions).length > maxOperations) {
      return [tooManyOperations(maxOperations)];
    }
    const { principal, gone } = ctx.extra;
    if (principal === null) throw new Error('operation before the connection was acknowledged');
    const operation = { principal, requestId: currentRequestId(), signal: gone };
    const { schema, execute, subscribe, parse, validate, contextFactory } = this.#deps.graphql.getEnveloped({
      ...operation,
      params: payload,
    });
    const document = parse(payload.query);
    const errors: readonly GraphQLError[] = validate(schema, document);
    if (errors.length > 0) return errors.map(withoutHttp);
    const args: EnvelopedArgs = {
      schema,
      document,
      operationName: payload.operationName ?? null,
      variableValues: payload.variables ?? null,
      contextValue: await contextFactory(),
      execute,
      subscribe,
    };
    return args;
  }

  #unexpected(error: unknown): GraphQLError {
    const requestId = currentRequestId();
    this.#deps.log.error({ err: error, requestId }, 'failed to prepare an operation');
    const extensions = { code: 'INTERNAL_SERVER_ERROR', requestId };
    return new GraphQLError('Internal error. Please report the request id.', {
      extensions,
    });
  }
}

function tooManyOperations(limit: number): GraphQLError {
  return new GraphQLError(`At most ${limit} operations can run on one socket; open another socket.`, {
    extensions: { code: 'TOO_MANY_OPERATIONS', limit },
  });
}

/** Gives syntax errors, which have none, a code. */
function refusal(error: GraphQLError): GraphQLError {
  const { message, nodes, source, positions, path } = withoutHttp(error);
  const extensions = { code: 'GRAPHQL_PARSE_FAILED', ...withoutHttp(error).extensions };
  return new GraphQLError(message, { nodes, source, positions, path, extensions });
}

/** Removes the HTTP status, which yoga adds and clients of a websocket do not need. */
function withoutHttp(error: GraphQLError): GraphQLError {
  if (error.extensions?.http === undefined) return error;
  const { http: _http, ...extensions } = error.extensions;
  const { message, nodes, source, positions, path } = error;
  return new GraphQLError(message, { nodes, source, positions, path, extensions });
}

/** Terminates sockets whose client is gone: neither a pong nor a written message for `intervalMs`. */
function keepAlive(socket: WebSocket, sender: BoundedSender, intervalMs: number): void {
  let isAlive = true;
  let sentCount = 0;
  socket.on('pong', () => {
    isAlive = true;
  });
  const timer = setInterval(() => {
    if (!isAlive && sender.sentCount === sentCount) return socket.terminate();
    isAlive = false;
    sentCount = sender.sentCount;
    if (socket.readyState === socket.OPEN) socket.ping();
  }, intervalMs);
  socket.once('close', () => clearInterval(timer));
}
