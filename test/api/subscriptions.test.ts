import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createClient } from 'graphql-ws';
import { afterEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import type { JobProgressEvent } from '../../src/live/watch-job.ts';
import { JOB_ID } from '../support/builders.ts';
import { type Edge, type EdgeOptions, eventually, startEdge } from '../support/edge.ts';
import { DONE, Source, VARIABLES, WATCH } from '../support/job-source.ts';
import { TransportDialogue } from '../support/transport-dialogue.ts';

let edge: Edge;
afterEach(() => edge.close());

async function startWith(source: Source, options: EdgeOptions = {}): Promise<void> {
  edge = await startEdge({ ...options, api: { jobs: { watch: (_input, signal) => source.watch(signal) } } });
}

describe('a subscription over graphql-transport-ws', () => {
  it('delivers every event and completes at the final status', async () => {
    const source = new Source();
    await startWith(source);
    source.push({ type: 'SNAPSHOT' });
    const client = createClient({ url: edge.webSocketUrl, webSocketImpl: WebSocket, retryAttempts: 0 });
    const events: unknown[] = [];
    for await (const { data } of client.iterate({ query: WATCH, variables: VARIABLES })) {
      events.push((data as { jobProgress: JobProgressEvent }).jobProgress.type);
      if (events.length === 1) source.push();
      if (events.length === 2) source.push(DONE);
    }
    await client.dispose();

    expect(events).toEqual(['SNAPSHOT', 'PROGRESS', 'STATUS']);
  });

  it('releases its source when the client completes and when the connection breaks', async () => {
    const source = new Source();
    await startWith(source);
    const polite = await TransportDialogue.open(edge.webSocketUrl);
    const rude = await TransportDialogue.open(edge.webSocketUrl);
    polite.subscribe('1', WATCH, VARIABLES);
    rude.subscribe('1', WATCH, VARIABLES);
    await eventually(
      () => source.watching,
      (watching) => watching === 2,
    );

    polite.say({ type: 'complete', id: '1' });
    await eventually(
      () => source.watching,
      (watching) => watching === 1,
    );
    rude.socket.terminate();
    await eventually(
      () => source.watching,
      (watching) => watching === 0,
    );

    expect(polite.socket.readyState).toBe(WebSocket.OPEN);
    polite.socket.close();
  });

  it('shares its socket with many others without a warning about listeners', async () => {
    const source = new Source();
    await startWith(source);
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const dialogue = await TransportDialogue.open(edge.webSocketUrl);
    for (let id = 0; id < 20; id += 1) dialogue.subscribe(String(id), WATCH, VARIABLES);
    await eventually(
      () => source.watching,
      (watching) => watching === 20,
    );
    process.off('warning', onWarning);

    expect(warnings).toEqual([]);
    dialogue.socket.close();
  });

  it.each([
    ['a syntax error', 'subscription {', 'GRAPHQL_PARSE_FAILED'],
    ['an unknown field', 'subscription { nope }', 'GRAPHQL_VALIDATION_FAILED'],
    [
      'too many aliases',
      `{ ${Array.from({ length: 16 }, (_, i) => `a${i}: __typename`).join(' ')} }`,
      'QUERY_TOO_COMPLEX',
    ],
  ])('survives %s of another operation on its socket', async (_case, query, code) => {
    const source = new Source();
    await startWith(source);
    const dialogue = await TransportDialogue.open(edge.webSocketUrl);
    dialogue.subscribe('good', WATCH, VARIABLES);
    dialogue.subscribe('bad', query);

    const { payload } = await dialogue.hear('error', 'bad');
    source.push();
    const next = await dialogue.hear('next', 'good');

    expect(payload).toMatchObject([{ extensions: { code } }]);
    expect(JSON.stringify(payload)).not.toContain('"http"');
    expect(next.payload).toMatchObject({ data: { jobProgress: { type: 'PROGRESS' } } });
    dialogue.socket.close();
  });

  it('reports an unknown job as an error of the operation', async () => {
    edge = await startEdge();
    const dialogue = await TransportDialogue.open(edge.webSocketUrl);
    dialogue.subscribe('1', WATCH, { id: 'job_nobody' });

    const { payload } = await dialogue.hear('error', '1');

    expect(payload).toMatchObject([{ extensions: { code: 'NOT_FOUND' } }]);
    dialogue.socket.close();
  });

  it('masks an error of its source', async () => {
    edge = await startEdge({
      api: {
        jobs: {
          // biome-ignore lint/correctness/useYield: it throws before its first event
          watch: async function* () {
            throw new Error('secret detail');
          },
        },
      },
    });
    const dialogue = await TransportDialogue.open(edge.webSocketUrl);
    dialogue.subscribe('1', WATCH, VARIABLES);

    const { payload } = await dialogue.hear('error', '1');

    expect(payload).toMatchObject([{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }]);
    expect(JSON.stringify(payload)).not.toContain('secret');
    dialogue.socket.close();
  });

  it('answers queries and mutations on the same socket', async () => {
    edge = await startEdge();
    const dialogue = await TransportDialogue.open(edge.webSocketUrl);
    dialogue.subscribe('1', `{ job(id: "${JOB_ID}") { status } }`);

    expect((await dialogue.hear('next', '1')).payload).toEqual({ data: { job: { status: 'QUEUED' } } });
    await dialogue.hear('complete', '1');
    dialogue.socket.close();
  });

  it('refuses an operation above the limit per socket', async () => {
    const source = new Source();
    await startWith(source, { limits: { webSocket: { maxOperations: 2 } } });
    const dialogue = await TransportDialogue.open(edge.webSocketUrl);
    for (const id of ['1', '2', '3']) dialogue.subscribe(id, WATCH, VARIABLES);

    expect((await dialogue.hear('error', '3')).payload).toMatchObject([
      { extensions: { code: 'TOO_MANY_OPERATIONS', limit: 2 } },
    ]);
    dialogue.socket.close();
  });

  it('refuses a socket above the limit per server, and accepts it once another has closed', async () => {
    await startWith(new Source(), { config: { MAX_WEBSOCKETS: 1 } });
    const first = await TransportDialogue.open(edge.webSocketUrl);
    const { socket } = new TransportDialogue(edge.webSocketUrl);
    const [, refusal] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    refusal.resume();
    socket.terminate();
    first.socket.close();
    await first.closed;
    const next = await TransportDialogue.open(edge.webSocketUrl);
    next.socket.close();

    expect([refusal.statusCode, refusal.headers['retry-after']]).toEqual([503, '5']);
  });

  it('closes a socket with another protocol, without connection_init, or with too large a message', async () => {
    await startWith(new Source(), { limits: { webSocket: { connectionInitMs: 50 } } });
    const other = new TransportDialogue(edge.webSocketUrl, {}, 'graphql-ws');
    const silent = new TransportDialogue(edge.webSocketUrl);
    const loud = new TransportDialogue(edge.webSocketUrl);
    await once(loud.socket, 'open');
    loud.subscribe('1', 'x'.repeat(70_000));

    expect((await silent.closed).code).toBe(4408);
    expect((await loud.closed).code).toBe(1009);
    expect([4406, 1006]).toContain((await other.closed).code);
  });

  it('accepts its own origin and allowed origins only', async () => {
    await startWith(new Source(), { config: { CORS_ORIGINS: ['https://app.example'] } });
    const outcome = async (origin: string) => {
      const { socket, closed } = new TransportDialogue(edge.webSocketUrl, { origin });
      const opened = new Promise<boolean>((resolve) => socket.once('open', () => resolve(true)));
      const hasOpened = await Promise.race([opened, closed.then(() => false)]);
      socket.terminate();
      return hasOpened;
    };

    expect(await outcome(edge.url)).toBe(true);
    expect(await outcome('https://app.example')).toBe(true);
    expect(await outcome('https://evil.example')).toBe(false);
  });

  it('closes with a code that asks clients to reconnect when the server stops', async () => {
    await startWith(new Source());
    const dialogue = await TransportDialogue.open(edge.webSocketUrl);
    await edge.close();

    expect(await dialogue.closed).toEqual({ code: 1012, reason: 'Service restart' });
  });
});
