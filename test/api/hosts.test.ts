import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { json } from 'node:stream/consumers';
import { afterEach, expect, it } from 'vitest';
import { type Edge, startEdge } from '../support/edge.ts';
import { TransportDialogue } from '../support/transport-dialogue.ts';

let edge: Edge;
afterEach(() => edge.close());

async function ask(path: string, host: string): Promise<IncomingMessage> {
  const headers = { host, origin: `http://${host}`, 'content-type': 'application/json' };
  const isPost = path === '/graphql';
  const asked = request(`${edge.url}${path}`, { method: isPost ? 'POST' : 'GET', headers });
  asked.end(isPost ? '{"query":"{ __typename }"}' : undefined);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return response;
}

it('refuses a request whose Host is a foreign name that resolves to this machine', async () => {
  edge = await startEdge();
  const refused = await ask('/graphql', 'evil.example');

  expect(refused.statusCode).toBe(421);
  expect(await json(refused)).toMatchObject({ errors: [{ extensions: { code: 'HOST_NOT_ALLOWED' } }] });
});

it('refuses a websocket from such a page', async () => {
  edge = await startEdge();
  const { socket, closed } = new TransportDialogue(edge.webSocketUrl, {
    headers: { host: 'evil.example', origin: 'http://evil.example' },
  });
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  response.resume();
  socket.terminate();
  await closed;

  expect(response.statusCode).toBe(421);
});

it('answers to the names in its configuration', async () => {
  edge = await startEdge({ config: { WORKER_URL: 'http://speech.example', ALLOWED_HOSTS: ['inside'] } });
  const port = 4000;
  const statuses = [];
  for (const host of ['speech.example', `inside:${port}`, `localhost:${port}`, `10.1.2.3:${port}`]) {
    const response = await ask('/graphql', host);
    response.resume();
    statuses.push(response.statusCode);
  }

  expect(statuses).toEqual([200, 200, 200, 200]);
});

it('answers health probes under any name', async () => {
  edge = await startEdge();
  const response = await ask('/health/live', 'pod-7.cluster');
  response.resume();

  expect(response.statusCode).toBe(200);
});
