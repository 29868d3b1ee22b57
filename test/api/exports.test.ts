import { afterEach, expect, it } from 'vitest';
import { type ExportInput, exportFilename } from '../../src/app/export-transcript.ts';
import { ANONYMOUS } from '../../src/auth/authenticate.ts';
import { ExportOptions } from '../../src/captions/export-options.ts';
import { JOB_ID } from '../support/builders.ts';
import { type Edge, post, startEdge } from '../support/edge.ts';
import { aJobView } from '../support/fake-application.ts';

const REQUEST = {
  format: 'TXT',
  options: { preset: 'WEB', maxCharsPerLine: 42, maxLines: 2, includeSpeakers: false, highlightWords: false },
} as const;

const LEFT_TO_PRESET: ExportOptions = {
  preset: 'WEB',
  maxCharsPerLine: null,
  maxLines: null,
  includeSpeakers: false,
  highlightWords: null,
};
const TRANSCRIPT = { jobId: JOB_ID, language: 'en', languageConfidence: null, isFinal: true };

let edge: Edge;
afterEach(() => edge.close());

function exportUrl(): string {
  return edge.links.exportUrl(ANONYMOUS.tenantId, JOB_ID, REQUEST, new Date(Date.now() + 60_000));
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
    api: {
      transcripts: {
        openExport: async () => ({ contentType: 'text/plain', filename: 'talk.txt', chunks: chunks() }),
      },
    },
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

it.each([
  { options: null, expected: {} },
  {
    options: { preset: 'KARAOKE', includeSpeakers: true },
    expected: { preset: 'KARAOKE', includeSpeakers: true },
  },
  { options: { maxCharsPerLine: 20, maxLines: null }, expected: { maxCharsPerLine: 20 } },
])('is asked for with what the options leave to the preset ($options)', async ({ options, expected }) => {
  const requests: ExportInput[] = [];
  edge = await startEdge({
    api: {
      jobs: { find: async () => [aJobView({ transcript: TRANSCRIPT })] },
      transcripts: {
        describeExport: async (input) => {
          requests.push({ ...input, options: ExportOptions.parse(input.options) });
          return null;
        },
      },
    },
  });
  const query = `query ($id: ID!, $options: ExportOptions) {
    job(id: $id) { transcript { export(format: VTT, options: $options) { url } } }
  }`;

  const { data } = await post(edge, query, { id: JOB_ID, options });

  expect(data).toEqual({ job: { transcript: { export: null } } });
  expect(requests).toEqual([{ jobId: JOB_ID, format: 'VTT', options: { ...LEFT_TO_PRESET, ...expected } }]);
});

it('names the file without characters that disguise its ending', async () => {
  const job = aJobView({ audio: { ...aJobView().audio, filename: 'abc\u202egpj.wav' } });
  edge = await startEdge({
    api: {
      transcripts: {
        openExport: async ({ format }) => ({
          contentType: 'application/x-subrip',
          filename: exportFilename(job, format),
          chunks: (async function* () {})(),
        }),
      },
    },
  });

  const { headers } = await fetch(exportUrl(), { method: 'HEAD' });

  expect(headers.get('content-disposition')).toBe('attachment; filename="abcgpj.txt"');
});
