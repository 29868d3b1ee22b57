import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXPORT_FORMATS } from '../../src/captions/export-options.ts';
import { DEMO_MODEL } from '../../worker/models/catalogue.ts';
import { readSubRip, readWebVtt } from '../support/captions.ts';
import { type FileHost, hostFiles } from '../support/file-host.ts';
import type { SeenJob } from '../support/job-calls.ts';
import { type Service, startService } from '../support/service.ts';
import { sample, wordsOf } from '../support/whisper-piece.ts';

const hello = sample('hello');
let service: Service;
let host: FileHost;
let expected: string[];
let job: SeenJob;

beforeAll(async () => {
  expected = wordsOf(await readFile(hello.text, 'utf8'));
  host = await hostFiles({ 'hello.wav': { contentType: 'audio/wav', body: await readFile(hello.wav) } });
  service = await startService({ env: { AUDIO_ALLOWED_NETWORKS: '127.0.0.0/8' } });
  const id = await service.jobs.accepted({ audio: { url: host.urlOf('hello.wav') }, timestamps: 'WORD' });
  job = await service.jobs.finished(id);
});
afterAll(async () => {
  await service?.stop();
  await host?.close();
});

const segments = () => job.transcript?.segments.nodes ?? [];

describe('a recording at a URL', () => {
  it('is transcribed word for word', () => {
    expect(job).toMatchObject({ status: 'COMPLETED', failure: null });
    expect(job.attempts).toEqual([{ number: 1, outcome: 'COMPLETED' }]);
    expect(job.transcript).toMatchObject({ isFinal: true, language: 'en' });
    expect(wordsOf(job.transcript?.text ?? '')).toEqual(expected);
  });

  it('ends with all of its audio processed', () => {
    const { progress } = job;

    expect(progress.fraction).toBe(1);
    expect(progress.processedSeconds).toBe(progress.totalSeconds);
    expect(progress.segmentCount).toBe(segments().length);
  });

  it('has consecutive segments within the recording', () => {
    const totalMs = (job.progress.totalSeconds ?? 0) * 1000;
    const times = segments().flatMap((segment) => [segment.startMs, segment.endMs]);

    expect(segments().map((segment) => segment.index)).toEqual(segments().map((_, index) => index));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times.at(-1)).toBeLessThanOrEqual(totalMs);
  });

  it('has a time for every word, inside its segment, when words are requested', () => {
    const words = segments().flatMap((segment) => segment.words ?? []);

    expect(words.flatMap((word) => wordsOf(word.text))).toEqual(expected);
    for (const segment of segments()) {
      const times = (segment.words ?? []).flatMap((word) => [word.startMs, word.endMs]);
      const bounded = [segment.startMs, ...times, segment.endMs];
      expect(bounded).toEqual(bounded.toSorted((a, b) => a - b));
    }
  });
});

describe('exports', () => {
  it.each(EXPORT_FORMATS)('return the transcript as %s, the same inline and at the URL', async (format) => {
    const file = await service.jobs.export(job.id, format);
    const response = await fetch(file.url);
    const fetched = Buffer.from(await response.arrayBuffer());

    expect(response.headers.get('content-type')).toContain(file.contentType.split(';')[0]);
    expect(fetched.toString()).toBe(file.content);
    expect(fetched.length).toBe(file.sizeBytes);
    expect(createHash('sha256').update(fetched).digest('hex')).toBe(file.sha256);
    expect(textOf(format, file.content)).toEqual(expected);
  });
});

function textOf(format: (typeof EXPORT_FORMATS)[number], content: string): string[] {
  switch (format) {
    case 'TXT':
      return wordsOf(content);
    case 'SRT':
      return readSubRip(content).flatMap((caption) => wordsOf(caption.lines.join(' ')));
    case 'VTT':
      return readWebVtt(content).flatMap((caption) => wordsOf(caption.lines.join(' ')));
    case 'TSV':
      return content
        .split('\n')
        .slice(1)
        .flatMap((line) => wordsOf(line.split('\t')[2] ?? ''));
    case 'JSON': {
      const file: { segments: { text: string }[] } = JSON.parse(content);
      return file.segments.flatMap((segment) => wordsOf(segment.text));
    }
  }
}

describe('an uploaded recording', () => {
  it('gives the same text, without word times unless requested', async () => {
    const uploadId = await service.jobs.upload(await readFile(hello.wav), 'hello.wav', 'audio/wav');

    const done = await service.jobs.finished(
      await service.jobs.accepted({ audio: { uploadId }, model: DEMO_MODEL, language: 'en' }),
    );

    expect(done.status, JSON.stringify(done.failure)).toBe('COMPLETED');
    expect(wordsOf(done.transcript?.text ?? '')).toEqual(expected);
    expect(done.transcript?.segments.nodes.every((segment) => segment.words === null)).toBe(true);
  });
});

describe('models', () => {
  it('are the models of the workers', async () => {
    const { models } = await service.client.request<{ models: unknown[] }>(
      '{ models { name engine isDefault languages } }',
    );

    expect(models).toContainEqual({
      name: DEMO_MODEL,
      engine: 'WHISPER',
      isDefault: true,
      languages: ['en'],
    });
  });
});
