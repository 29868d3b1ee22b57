import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/edge.ts';
import { GraphiqlBrowser } from '../support/graphiql-browser.ts';
import { type Service, startService } from '../support/service.ts';

/** The first worker on a machine builds whisper.cpp. */
const FIRST_RUN_MS = 600_000;
const SAMPLE = new URL('../../models/demo/samples/hello.wav', import.meta.url);

const CREATE_UPLOAD = `mutation Create($input: CreateUploadInput!) {
  createUpload(input: $input) { ... on CreateUploadPayload { upload { id url } } ... on UserError { message } }
}`;

let service: Service;
let browser: GraphiqlBrowser;
beforeAll(async () => {
  service = await startService();
  browser = await GraphiqlBrowser.open(`${service.server.url}/graphql`);
}, FIRST_RUN_MS);
afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

async function uploadSample(): Promise<string> {
  const file = await readFile(SAMPLE);
  const input = { filename: 'hello.wav', contentType: 'audio/wav', sizeBytes: file.length };
  const response = await fetch(`${service.server.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: CREATE_UPLOAD, variables: { input } }),
  });
  const { data } = (await response.json()) as {
    data: { createUpload: { upload: { id: string; url: string } } };
  };
  const { id, url } = data.createUpload.upload;
  const sent = await fetch(url, { method: 'PUT', body: new Uint8Array(file) });
  expect(sent.status).toBe(201);
  return id;
}

describe('GraphiQL with the whole service behind it', () => {
  it(
    'submits the sample, watches it complete, reads its text, and sends no request to another host',
    async () => {
      const words = (await readFile(new URL(SAMPLE.href.replace('.wav', '.txt')), 'utf8')).trim();
      await browser.run('Submit', { input: { audio: { uploadId: await uploadSample() } } });
      const submitted = await eventually(
        () => browser.shown('response'),
        (text) => /job_[0-9a-f]{32}/.test(text),
        30_000,
      );
      const [id] = /job_[0-9a-f]{32}/.exec(submitted) ?? [];

      await browser.run('Watch', { id });
      await eventually(
        () => browser.shown('response'),
        (text) => text.includes('"status": "COMPLETED"'),
        120_000,
      );
      await browser.run('Export', { id, format: 'TXT' });
      const exported = await eventually(
        () => browser.shown('response'),
        (text) => text.includes('"isFinal": true'),
        30_000,
      );

      expect(exported.toLowerCase()).toContain(words.toLowerCase().split(/\W+/)[0]);
      expect(browser.foreignRequests).toEqual([]);
      expect(browser.errors).toEqual([]);
    },
    FIRST_RUN_MS,
  );
});
