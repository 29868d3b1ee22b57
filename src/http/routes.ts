import type { IncomingMessage, ServerResponse } from 'node:http';
import { printSchema } from 'graphql';
import type { Api, Application } from '../app/application.ts';
import type { SignedLinks } from '../auth/signed-links.ts';
import type { Principal } from '../domain/principal.ts';
import { schema } from '../graphql/schema.ts';
import type { Metrics } from '../observability/metrics.ts';
import { getExport } from './export-route.ts';
import { sendGraphiql, wantsGraphiql } from './graphiql-page.ts';
import { type GraphQLServer, handleGraphQL } from './graphql-handler.ts';
import type { Health } from './health.ts';
import { HttpError, sendJson } from './http-error.ts';
import { currentRequestId } from './request-context.ts';
import { getUploadContent, putUpload } from './upload-routes.ts';

export interface RouteDeps {
  readonly app: Application;
  readonly links: SignedLinks;
  readonly graphql: GraphQLServer;
  readonly hasGraphiql: boolean;
  /** Null when `METRICS` is off. */
  readonly metrics?: Metrics | null;
  health(): Promise<Health>;
  /** @throws UnavailableError when too many exports are being written. */
  readonly limitExports: <Result>(work: () => Promise<Result>) => Promise<Result>;
  authenticate(
    request: IncomingMessage,
    connectionParams: Readonly<Record<string, unknown>>,
  ): Promise<Principal>;
}

const UPLOAD_PATH = /^\/uploads\/([^/]+)$/;
const UPLOAD_CONTENT_PATH = /^\/uploads\/([^/]+)\/content$/;

export interface Exchange {
  readonly url: URL;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** Aborts when the client disconnects or the server cuts the connection. */
  readonly signal: AbortSignal;
}

/** @throws HttpError for errors that the caller can correct. */
export async function route(deps: RouteDeps, { url, req, res, signal }: Exchange): Promise<void> {
  const { pathname } = url;
  if (pathname === '/graphql') {
    if (deps.hasGraphiql && wantsGraphiql(req)) return sendGraphiql(req, res);
    const principal = await deps.authenticate(req, {});
    return handleGraphQL(deps.graphql, req, res, { principal, requestId: currentRequestId(), signal });
  }
  const uploadId = UPLOAD_PATH.exec(pathname)?.[1];
  if (uploadId !== undefined) {
    requireMethod(req, ['PUT']);
    return putUpload(linkHolder(deps, req, url), uploadId, req, res, signal);
  }
  requireMethod(req, ['GET', 'HEAD']);
  const contentId = UPLOAD_CONTENT_PATH.exec(pathname)?.[1];
  if (contentId !== undefined) {
    return getUploadContent(linkHolder(deps, req, url), contentId, req, res);
  }
  if (pathname.startsWith('/exports/')) {
    const api = linkHolder(deps, req, url);
    return deps.limitExports(() => getExport(api, url, req, res));
  }
  return sendStaticRoute(deps, pathname, res);
}

/** The service as the tenant that the signed link was made for. @throws HttpError 403, 410 */
function linkHolder({ app, links }: RouteDeps, req: IncomingMessage, url: URL): Api {
  const link = links.check(req.method ?? 'GET', url);
  if (link.principal !== null) return app.as(link.principal);
  if (link.problem === 'EXPIRED') {
    throw new HttpError(410, 'URL_EXPIRED', 'This URL has expired; request a new one from the API.');
  }
  throw new HttpError(403, 'SIGNATURE_INVALID', 'The signature of this URL is not valid for this request.');
}

async function sendStaticRoute(deps: RouteDeps, pathname: string, res: ServerResponse): Promise<void> {
  switch (pathname) {
    case '/health/live':
      return sendJson(res, 200, { status: 'ok' });
    case '/health/ready': {
      const health = await deps.health();
      return sendJson(res, health.ready ? 200 : 503, health);
    }
    case '/metrics': {
      if (deps.metrics == null) throw new HttpError(404, 'NOT_FOUND', 'Metrics are disabled.');
      const { contentType, body } = await deps.metrics.text();
      res.writeHead(200, { 'content-type': contentType }).end(body);
      return;
    }
    case '/schema.graphql':
      res.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end(printSchema(schema));
      return;
    case '/':
      res.writeHead(302, { location: '/graphql' }).end();
      return;
    default:
      throw new HttpError(404, 'NOT_FOUND', 'Not found. The API is at /graphql.');
  }
}

/** The class of a route, for metrics; a small fixed set, whatever paths are requested. */
export function routeClassOf(pathname: string): string {
  if (pathname === '/graphql') return 'graphql';
  if (UPLOAD_PATH.test(pathname)) return 'upload';
  if (UPLOAD_CONTENT_PATH.test(pathname)) return 'upload_content';
  if (pathname.startsWith('/exports/')) return 'export';
  if (pathname.startsWith('/health/')) return 'health';
  return pathname === '/metrics' ? 'metrics' : 'other';
}

function requireMethod(req: IncomingMessage, methods: readonly string[]): void {
  if (methods.includes(req.method ?? '')) return;
  const allow = methods.join(', ');
  throw new HttpError(405, 'METHOD_NOT_ALLOWED', `Use ${allow} here.`, { allow });
}
