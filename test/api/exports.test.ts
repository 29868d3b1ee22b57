import { afterEach, expect, it } from 'vitest';
import { JOB_ID } from '../support/builders.ts';
import { type Edge, startEdge } from '../support/edge.ts';

const REQUEST = {
  format: 'TXT',
  options: { preset: 'WEB', maxCharsPerLine: 42, maxLines: 2, includeSpeakers: false, highlightWords: false },
} as const;

let edge: Edge;
afterEach(() => edge.close());

function exportUrl(): string {
  return edge.links.signedExportUrl(JOB_ID, REQUEST, new Date(Date.now() + 60_000));
}

it('streams a transcript, and answers 503 with Retry-After above the limit of concurrent exports', async () => {
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  async function* chunks() {
    yield 'first\n';
    await finished;
    yield 'last\n';
  }
  edge = await startEdge({
    limits: { maxExports: 1 },
    openExport: async () => ({ contentType: 'text/plain', filename: 'talk.txt', chunks: chunks() }),
  });
  const response = await fetch(exportUrl());
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const first = await reader?.read();
  const refused = await fetch(exportUrl());
  finish();

  expect(first?.value).toBe('first\n');
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
  expect((await reader?.read())?.value).toBe('last\n');
});

it('answers 404 for a job without a transcript', async () => {
  edge = await startEdge();

  expect((await fetch(exportUrl())).status).toBe(404);
});
