import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { ServerConfig } from '../config/config.ts';
import { UnavailableError } from '../domain/errors.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import { atMost } from '../process/at-most.ts';
import { createHostCheck, type HostConfig } from './allowed-hosts.ts';
import { answerCrossOrigin } from './cross-origin.ts';
import { createGraphQLServer } from './graphql-handler.ts';
import { GraphQLWebSocket, WEBSOCKET_LIMITS, type WebSocketLimits } from './graphql-websocket.ts';
import { HttpError, sendError } from './http-error.ts';
import { requestIdFrom, withRequestId } from './request-context.ts';
import { type RouteDeps, route, routeClassOf } from './routes.ts';
import { dropStalledReader } from './stalled-reader.ts';

export interface HttpServerDeps
  extends Pick<RouteDeps, 'app' | 'links' | 'health' | 'authenticate' | 'metrics'> {
  readonly config: Pick<ServerConfig, 'PORT' | 'GRAPHIQL' | 'MAX_WEBSOCKETS'> & HostConfig;
  readonly log: Logger;
  readonly limits?: Partial<TransportLimits>;
}

/** Changed by tests only. */
interface TransportLimits {
  readonly webSocket: Partial<WebSocketLimits>;
  readonly executionTimeoutMs: number;
  /** A connection without any traffic for this long is closed. */
  readonly idleMs: number;
  /** A connection whose client does not read its response for this long is closed. */
  readonly stallMs: number;
  /** Concurrent downloads of transcripts; above, requests are refused with 503. */
  readonly maxExports: number;
}

export interface HttpServer {
  /** @returns the URL for clients: `PUBLIC_URL`, or the address it listens on. */
  listen(): Promise<{ readonly url: string }>;
  /**
   * Stops accepting connections, ends subscriptions so that clients reconnect, lets other requests finish, and closes
   * the remaining connections after `graceMs`.
   */
  close(graceMs: number): Promise<void>;
}

interface State {
  isStopping: boolean;
  /** End the responses that would not end by themselves. */
  readonly streams: Set<() => void>;
  /** Connections without a request so far, as browsers open in advance. Node counts them as busy. */
  readonly unused: Set<Socket>;
}

const HEADERS_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 5_000;
const DEFAULTS = { idleMs: 60_000, stallMs: 30_000, executionTimeoutMs: 10_000, maxExports: 100 };

/** The HTTP server: API, subscriptions, uploads, exports, GraphiQL, health, metrics. */
export function createHttpServer(deps: HttpServerDeps): HttpServer {
  const limits = {
    ...DEFAULTS,
    ...deps.limits,
    webSocket: {
      ...WEBSOCKET_LIMITS,
      maxConnections: deps.config.MAX_WEBSOCKETS,
      ...deps.limits?.webSocket,
    },
  };
  const graphql = createGraphQLServer(deps.app, deps.log, limits.executionTimeoutMs);
  const routes: RouteDeps = {
    ...{ ...deps, graphql },
    hasGraphiql: deps.config.GRAPHIQL === 'on',
    limitExports: atMost(limits.maxExports, 0),
  };
  const webSocket = new GraphQLWebSocket({
    graphql,
    log: deps.log,
    allowedOrigins: deps.config.CORS_ORIGINS,
    limits: limits.webSocket,
    authenticate: deps.authenticate,
  });
  deps.metrics?.measureWebSockets(() => webSocket.connections);
  const isOurHost = createHostCheck(deps.config);
  const state: State = { isStopping: false, streams: new Set(), unused: new Set() };
  const onRequest = (req: IncomingMessage, res: ServerResponse) => {
    state.unused.delete(req.socket);
    if (state.isStopping) res.setHeader('connection', 'close');
    dropStalledReader(res, limits.stallMs);
    serve(routes, deps, isOurHost, req, res, state.streams);
    res.once('close', () => {
      // An idle connection would delay the stop.
      if (state.isStopping) setImmediate(() => server.closeIdleConnections());
    });
  };
  const server = createServer(
    // Uploads may take hours; `idleMs` limits how long they may stall.
    { requestTimeout: 0, headersTimeout: HEADERS_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS },
    onRequest,
  );
  // Routes with a body send `100 Continue` themselves, once they accept the request.
  server.on('checkContinue', onRequest);
  server.setTimeout(limits.idleMs);
  server.on('connection', (socket: Socket) => {
    state.unused.add(socket);
    socket.once('close', () => state.unused.delete(socket));
  });
  server.on('upgrade', (req, socket, head) => {
    state.unused.delete(req.socket);
    socket.on('error', (err) => deps.log.debug({ err }, 'websocket upgrade failed'));
    if (state.isStopping || urlOf(req).pathname !== '/graphql') {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    if (!isOurHost(req.headers.host)) {
      socket.end('HTTP/1.1 421 Misdirected Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    webSocket.upgrade(req, socket, head);
  });
  return {
    listen: () => listen(server, deps.config),
    close: (graceMs) => close(server, webSocket, state, graceMs),
  };
}

function urlOf(req: IncomingMessage): URL {
  // A request target is free text: `//host` or a broken escape must not throw.
  const target = `/${(req.url ?? '/').replace(/^\/+/, '')}`;
  return URL.canParse(target, 'http://localhost')
    ? new URL(target, 'http://localhost')
    : new URL('http://localhost/-');
}

function serve(
  routes: RouteDeps,
  { config, log, metrics }: HttpServerDeps,
  isOurHost: (host: string | undefined) => boolean,
  req: IncomingMessage,
  res: ServerResponse,
  streams: Set<() => void>,
): void {
  const requestId = requestIdFrom(req.headers['x-request-id']);
  res.setHeader('x-request-id', requestId);
  res.setHeader('x-content-type-options', 'nosniff');
  const gone = new AbortController();
  // Only streams without an end are cut when the server stops; other responses finish.
  const end = () => {
    if (String(res.getHeader('content-type')).startsWith('text/event-stream')) gone.abort();
  };
  streams.add(end);
  res.once('close', () => {
    streams.delete(end);
    // Aborting costs more than a small request: it is for responses that were cut.
    if (!res.writableFinished) gone.abort();
  });
  const url = urlOf(req);
  if (metrics != null) countRequest(metrics, url.pathname, res);
  // Probes use any host name.
  if (!isOurHost(req.headers.host) && !url.pathname.startsWith('/health/')) {
    sendError(req, res, unknownHost(req.headers.host), requestId);
    return;
  }
  if (answerCrossOrigin(req, res, config.CORS_ORIGINS)) return;
  withRequestId(requestId, () => route(routes, { url, req, res, signal: gone.signal })).catch(
    (error: unknown) => {
      if (gone.signal.aborted && !(error instanceof HttpError)) {
        log.debug({ err: error, requestId }, 'client disconnected');
        res.destroy();
        return;
      }
      if (!(error instanceof HttpError)) log.error({ err: error, requestId }, 'request failed');
      sendError(req, res, refusalOf(error), requestId);
    },
  );
}

function unknownHost(host: string | undefined): HttpError {
  const message = `${host} is not a host name of this service. Add it to ALLOWED_HOSTS to allow it.`;
  return new HttpError(421, 'HOST_NOT_ALLOWED', message);
}

function refusalOf(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof UnavailableError) {
    const headers = { 'retry-after': String(error.retryAfterSeconds) };
    return new HttpError(503, 'SERVICE_UNAVAILABLE', error.message, headers);
  }
  const message = 'Internal error. Please report the request id.';
  return new HttpError(500, 'INTERNAL_SERVER_ERROR', message);
}

function countRequest(metrics: Metrics, pathname: string, res: ServerResponse): void {
  const startedAt = performance.now();
  res.once('close', () => {
    const isStream = String(res.getHeader('content-type')).startsWith('text/event-stream');
    const seconds = isStream ? null : (performance.now() - startedAt) / 1000;
    // 499 as in nginx: the client disconnected before the response.
    const status = res.headersSent ? res.statusCode : 499;
    metrics.requestEnded(routeClassOf(pathname), status, seconds);
  });
}

async function listen(
  server: Server,
  { HOST, PORT, PUBLIC_URL }: HttpServerDeps['config'],
): Promise<{ readonly url: string }> {
  await once(server.listen(PORT, HOST), 'listening');
  const { address, port, family } = server.address() as AddressInfo;
  const isWildcard = address === '::' || address === '0.0.0.0';
  const host = isWildcard ? 'localhost' : family === 'IPv6' ? `[${address}]` : address;
  return { url: PUBLIC_URL?.replace(/\/+$/, '') ?? `http://${host}:${port}` };
}

async function close(
  server: Server,
  webSocket: GraphQLWebSocket,
  state: State,
  graceMs: number,
): Promise<void> {
  const closed = once(server.close(), 'close');
  state.isStopping = true;
  for (const end of state.streams) end();
  for (const socket of state.unused) socket.destroy();
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await Promise.all([closed, webSocket.close(graceMs)]);
  clearTimeout(timer);
}
