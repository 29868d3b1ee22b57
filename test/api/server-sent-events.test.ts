import { createClient as createSseClient } from 'graphql-sse';
import { afterEach, describe, expect, it } from 'vitest';
import type { JobProgressEvent } from '../../src/live/watch-job.ts';
import { type Edge, eventually, startEdge } from '../support/edge.ts';
import { DONE, Source, VARIABLES, WATCH } from '../support/job-source.ts';

let edge: Edge;
afterEach(() => edge.close());

async function startWith(source: Source): Promise<void> {
  edge = await startEdge({ api: { jobs: { watch: (_input, signal) => source.watch(signal) } } });
}

describe('a subscription over server-sent events', () => {
  it('delivers every event and completes at the final status', async () => {
    const source = new Source();
    await startWith(source);
    source.push({ type: 'SNAPSHOT' });
    const client = createSseClient({ url: edge.graphqlUrl, retryAttempts: 0 });
    const types: unknown[] = [];
    for await (const { data } of client.iterate({ query: WATCH, variables: VARIABLES })) {
      types.push((data as unknown as { jobProgress: JobProgressEvent }).jobProgress.type);
      if (types.length === 1) source.push(DONE);
    }

    expect(types).toEqual(['SNAPSHOT', 'STATUS']);
  });

  it('works by GET too, and releases its source when the client disconnects', async () => {
    const source = new Source();
    await startWith(source);
    source.push({ type: 'SNAPSHOT' });
    const query = new URLSearchParams({ query: WATCH, variables: JSON.stringify(VARIABLES) });
    const leaving = new AbortController();
    const response = await fetch(`${edge.graphqlUrl}?${query}`, {
      headers: { accept: 'text/event-stream' },
      signal: leaving.signal,
    });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('SNAPSHOT')) text += (await reader?.read())?.value ?? '';
    const watchingBefore = source.watching;
    leaving.abort();
    await eventually(
      () => source.watching,
      (watching) => watching === 0,
    );

    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    expect(text).toContain('event: next');
    expect(watchingBefore).toBe(1);
  });

  it('ends without completing when the server stops, so that clients reconnect', async () => {
    const source = new Source();
    await startWith(source);
    source.push({ type: 'SNAPSHOT' });
    const response = await fetch(edge.graphqlUrl, {
      method: 'POST',
      headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
      body: JSON.stringify({ query: WATCH, variables: VARIABLES }),
    });
    const text = response.text();
    await eventually(
      () => source.watching,
      (watching) => watching === 1,
    );
    await edge.close();

    expect(await text).not.toContain('event: complete');
    expect(source.watching).toBe(0);
  });
});
