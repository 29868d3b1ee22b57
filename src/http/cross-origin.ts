import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * Pages of other origins may call the API only when `CORS_ORIGINS` names them. There are no cookies to protect, but the
 * network position is: a page that a user visits must not control a service on loopback. An origin equal to the host is
 * the service's own, since foreign hosts were refused before.
 */
export function isAllowedOrigin(req: IncomingMessage, allowed: readonly string[]): boolean {
  const { origin, host } = req.headers;
  if (origin === undefined) return true;
  if (allowed.includes('*') || allowed.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/** @returns true when the request was a preflight, which is then answered. */
export function answerCrossOrigin(
  req: IncomingMessage,
  res: ServerResponse,
  allowed: readonly string[],
): boolean {
  const { origin } = req.headers;
  if (origin !== undefined && allowed.length > 0) {
    res.setHeader('vary', 'origin');
    if (isAllowedOrigin(req, allowed)) {
      res.setHeader('access-control-allow-origin', origin);
      res.setHeader('access-control-expose-headers', 'x-request-id, retry-after');
    }
  }
  if (req.method !== 'OPTIONS') return false;
  if (res.hasHeader('access-control-allow-origin')) {
    res.setHeader('access-control-allow-methods', 'GET, HEAD, POST, PUT');
    res.setHeader('access-control-allow-headers', 'accept, authorization, content-type, range, x-request-id');
    res.setHeader('access-control-max-age', '600');
  }
  res.writeHead(204).end();
  return true;
}
