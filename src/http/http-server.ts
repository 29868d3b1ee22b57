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

/** For tests; the defaults are the product's. */
interface TransportLimits {
  readonly webSocket: Partial<WebSocketLimits>;
  readonly executionTimeoutMs: number;
  /** A connection on which nothing moves for this long is closed. */
  readonly idleMs: number;
  /** A response nobody reads for this long is dropped. */
  readonly stallMs: number;
  /** Transcripts being downloaded at once; more are told to come back. */
  readonly maxExports: number;
}

export interface HttpServer {
  /** @returns where clients reach it: `PUBLIC_URL`, or the address it listens on. */
  listen(): Promise<{ readonly url: string }>;
  /**
   * Stops accepting, tells subscribers to come back, lets what runs finish, and cuts what is left after
   * `graceMs`.
   */
  close(graceMs: number): Promise<void>;
}

interface State {
  isStopping: boolean;
  /** Ends each response that would go on for ever. */
  readonly streams: Set<() => void>;
  /** Connections on which nothing was asked yet: Node counts them as busy. Browsers open them to spare. */
  readonly unused: Set<Socket>;
}

const HEADERS_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 5_000;
const DEFAULTS = { idleMs: 60_000, stallMs: 30_000, executionTimeoutMs: 10_000, maxExports: 100 };

/** The one port of the service: API, subscriptions, uploads, exports, GraphiQL, health. */
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
      // A connection kept alive would hold the stop up.
      if (state.isStopping) setImmediate(() => server.closeIdleConnections());
    });
  };
  const server = createServer(
    // Uploads may take hours; what bounds them is that bytes keep moving.
    { requestTimeout: 0, headersTimeout: HEADERS_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS },
    onRequest,
  );
  // Routes that take a body ask for it themselves, once they want it.
  server.on('checkContinue', onRequest);
  server.setTimeout(limits.idleMs);
  server.on('connection', (socket: Socket) => {
    state.unused.add(socket);
    socket.once('close', () => state.unused.delete(socket));
  });
  server.on('upgrade', (req, socket, head) => {
    state.unused.delete(req.socket);
    socket.on('error', (err) => deps.log.debug({ err }, 'upgrade failed'));
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
  // Only streams without an end of their own are cut when the server stops; the rest finishes.
  const end = () => {
    if (String(res.getHeader('content-type')).startsWith('text/event-stream')) gone.abort();
  };
  streams.add(end);
  res.once('close', () => {
    streams.delete(end);
    gone.abort();
  });
  const url = urlOf(req);
  if (metrics != null) countRequest(metrics, url.pathname, res);
  // Probes call by whatever name they have.
  if (!isOurHost(req.headers.host) && !url.pathname.startsWith('/health/')) {
    sendError(req, res, unknownHost(req.headers.host), requestId);
    return;
  }
  if (answerCrossOrigin(req, res, config.CORS_ORIGINS)) return;
  withRequestId(requestId, () => route(routes, { url, req, res, signal: gone.signal })).catch(
    (error: unknown) => {
      if (gone.signal.aborted && !(error instanceof HttpError)) {
        log.debug({ err: error, requestId }, 'client went away');
        res.destroy();
        return;
      }
      if (!(error instanceof HttpError)) log.error({ err: error, requestId }, 'request failed');
      sendError(req, res, refusalOf(error), requestId);
    },
  );
}

function unknownHost(host: string | undefined): HttpError {
  const message = `This service is not known as ${host}. Its operator can name it in ALLOWED_HOSTS.`;
  return new HttpError(421, 'HOST_NOT_ALLOWED', message);
}

function refusalOf(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof UnavailableError) {
    const headers = { 'retry-after': String(error.retryAfterSeconds) };
    return new HttpError(503, 'SERVICE_UNAVAILABLE', error.message, headers);
  }
  const message = 'Something went wrong on our side. Please report the request id.';
  return new HttpError(500, 'INTERNAL_SERVER_ERROR', message);
}

function countRequest(metrics: Metrics, pathname: string, res: ServerResponse): void {
  const startedAt = performance.now();
  res.once('close', () => {
    const isStream = String(res.getHeader('content-type')).startsWith('text/event-stream');
    const seconds = isStream ? null : (performance.now() - startedAt) / 1000;
    // 499 as in nginx: the client went away before there was an answer.
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
