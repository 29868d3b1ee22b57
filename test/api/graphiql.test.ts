import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { JOB_ID } from '../support/builders.ts';
import { type Edge, eventually, startEdge } from '../support/edge.ts';
import { GraphiqlBrowser } from '../support/graphiql-browser.ts';

describe('GraphiQL', () => {
  let edge: Edge;
  let browser: GraphiqlBrowser;
  beforeAll(async () => {
    edge = await startEdge();
    browser = await GraphiqlBrowser.open(edge.graphqlUrl);
  });
  afterAll(async () => {
    await browser.close();
    await edge.close();
  });

  it('opens with tabs that can be run at once', async () => {
    expect((await browser.tabs()).map((name) => name.trim())).toEqual([
      'Submit',
      'Watch',
      'List',
      'Export',
      'Retry',
    ]);
    expect(await browser.shown('query')).toContain('mutation Submit');
    expect(await browser.shown('variables')).toContain('https://example.com/talk.mp3');
  });

  it('runs a mutation and a subscription, and sends requests to this server only', async () => {
    await browser.run('Submit', { input: { audio: { url: 'https://example.com/a.mp3' } } });
    await eventually(
      () => browser.shown('response'),
      (text) => text.includes(JOB_ID),
    );
    await browser.run('Watch', { id: JOB_ID });
    const watched = await eventually(
      () => browser.shown('response'),
      (text) => text.includes('SNAPSHOT'),
    );

    expect(watched).toContain('"status": "PROCESSING"');
    expect(browser.foreignRequests).toEqual([]);
    expect(browser.errors).toEqual([]);
  });

  it('is served compressed, also for a URL that contains a query', async () => {
    const response = await fetch(`${edge.graphqlUrl}?query=%7B__typename%7D`, {
      headers: { accept: 'text/html', 'accept-encoding': 'identity' },
    });
    const page = await response.text();
    const packed = await fetch(edge.graphqlUrl, { headers: { accept: 'text/html' } });
    await packed.body?.cancel();

    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page).toContain('Transcription API');
    expect(page).not.toMatch(/(src|href)="https?:/);
    expect(Number(packed.headers.get('content-length'))).toBeLessThan(page.length / 3);
  });

  it('can be switched off', async () => {
    const bare = await startEdge({ config: { GRAPHIQL: 'off' } });
    const response = await fetch(bare.graphqlUrl, { headers: { accept: 'text/html' } });
    await bare.close();

    expect(response.headers.get('content-type') ?? '').not.toContain('text/html');
  });
});
