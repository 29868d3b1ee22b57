import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { brotliCompress, gzip, constants as zlib } from 'node:zlib';
import { GRAPHIQL_TABS } from './graphiql-tabs.ts';

interface Page {
  readonly identity: Buffer;
  readonly gzip: Buffer;
  readonly br: Buffer;
}

/** Higher levels take seconds for this page of 9 MB, which is mostly read over loopback. */
const BROTLI_QUALITY = 5;

/** On a first visit, GraphiQL takes the variables from local storage instead of the first tab. */
const FIRST_VISIT = `<script>
  if (localStorage.getItem('graphiql:tabState') === null) {
    localStorage.setItem('graphiql:variables', ${JSON.stringify(GRAPHIQL_TABS[0]?.variables ?? '')});
  }
</script>`;

let page: Promise<Page> | undefined;

/** A single page with all scripts, so that it works offline. */
async function renderPage(): Promise<Page> {
  // Imported on demand: 9 MB of script.
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const html = renderGraphiQL({
    title: 'Transcription API',
    defaultTabs: GRAPHIQL_TABS,
    subscriptionsProtocol: 'WS',
    inputValueDeprecation: true,
    schemaDescription: true,
    shouldPersistHeaders: false,
  });
  const identity = Buffer.from(html.replace('<div id="root"></div>', (root) => root + FIRST_VISIT));
  const [gzipped, br] = await Promise.all([
    promisify(gzip)(identity),
    promisify(brotliCompress)(identity, { params: { [zlib.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
  ]);
  return { identity, gzip: gzipped, br };
}

/** Browsers accept HTML; other clients do not. GraphiQL may have a query in its URL. */
export function wantsGraphiql(req: IncomingMessage): boolean {
  const isRead = req.method === 'GET' || req.method === 'HEAD';
  return isRead && (req.headers.accept ?? '').includes('text/html');
}

export async function sendGraphiql(req: IncomingMessage, res: ServerResponse): Promise<void> {
  page ??= renderPage();
  const rendered = await page.catch((error: unknown) => {
    page = undefined;
    throw error;
  });
  const accepted = String(req.headers['accept-encoding'] ?? '');
  const encoding = accepted.includes('br') ? 'br' : accepted.includes('gzip') ? 'gzip' : 'identity';
  const body = rendered[encoding];
  res.writeHead(200, {
    'content-type': 'text/html; charset=utf-8',
    'content-length': body.length,
    'cache-control': 'no-cache',
    vary: 'accept, accept-encoding',
    // Its scripts run from blobs. It may connect to this server only, and must not be framed.
    'content-security-policy':
      "default-src 'self' blob: data:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; " +
      "style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; frame-ancestors 'none'",
    ...(encoding === 'identity' ? {} : { 'content-encoding': encoding }),
  });
  res.end(req.method === 'HEAD' ? undefined : body);
}
