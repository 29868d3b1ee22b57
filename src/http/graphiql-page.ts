import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { brotliCompress, gzip, constants as zlib } from 'node:zlib';
import { GRAPHIQL_TABS } from './graphiql-tabs.ts';

interface Page {
  readonly identity: Buffer;
  readonly gzip: Buffer;
  readonly br: Buffer;
}

/** Good enough for a page of 9 MB that is mostly read over loopback; higher levels take seconds. */
const BROTLI_QUALITY = 5;

/** On a first visit GraphiQL fills the editor of variables from its storage, not from the first tab. */
const FIRST_VISIT = `<script>
  if (localStorage.getItem('graphiql:tabState') === null) {
    localStorage.setItem('graphiql:variables', ${JSON.stringify(GRAPHIQL_TABS[0]?.variables ?? '')});
  }
</script>`;

let page: Promise<Page> | undefined;

/** Everything is in one page, so that it works without any network. */
async function renderPage(): Promise<Page> {
  // 9 MB of script that a server without readers should not hold.
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

/** A browser asks for the page, also with a query in the address, where GraphiQL keeps it; other clients do not. */
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
    // The page runs itself from blobs; it may talk to this server only, and no page may frame it.
    'content-security-policy':
      "default-src 'self' blob: data:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; " +
      "style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:; frame-ancestors 'none'",
    ...(encoding === 'identity' ? {} : { 'content-encoding': encoding }),
  });
  res.end(req.method === 'HEAD' ? undefined : body);
}
