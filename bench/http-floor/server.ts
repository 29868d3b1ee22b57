import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createYoga } from 'graphql-yoga';
import { authenticate } from '../../src/auth/authenticate.ts';
import { createLoaders } from '../../src/graphql/context.ts';
import { schema } from '../../src/graphql/schema.ts';
import { createGraphQLServer, handleGraphQL } from '../../src/http/graphql-handler.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { startEdge } from '../../test/support/edge.ts';
import { fakeApi } from '../../test/support/fake-application.ts';

/** One layer of the HTTP front as a process, over an application that answers at once. */
const layer = process.argv[2] ?? '';
const log = createLogger('floor', 'warn');
const api = fakeApi();
const app = { as: () => api };
const principal = await authenticate({} as never, {});

const LAYERS: Record<string, () => Promise<string>> = {
  node: () =>
    serve((req, res) => {
      req.resume().once('end', () => {
        res.setHeader('content-type', 'application/json');
        res.end('{"data":{"__typename":"Query"}}');
      });
    }),
  yoga: () =>
    serve(
      createYoga({
        schema,
        context: () => ({ api, requestId: '-', loaders: createLoaders(api) }),
        graphiql: false,
        landingPage: false,
        logging: false,
        multipart: false,
      }),
    ),
  handler: () => {
    const graphql = createGraphQLServer(app, log);
    const signal = new AbortController().signal;
    return serve((req, res) => void handleGraphQL(graphql, req, res, { principal, requestId: '-', signal }));
  },
  front: async () => (await startEdge()).url,
};

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const start = LAYERS[layer];
if (start === undefined) throw new Error(`there is no layer ${layer}`);
process.send?.({ type: 'ready', url: await start() });
process.once('SIGTERM', () => process.exit(0));
