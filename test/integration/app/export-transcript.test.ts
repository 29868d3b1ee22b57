import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  describeExport,
  type ExportInput,
  exportFilename,
  openExport,
} from '../../../src/app/export-transcript.ts';
import { applicationDeps } from '../../support/application-deps.ts';
import { aNewJob, JOB_ID } from '../../support/builders.ts';
import { aJobView } from '../../support/fake-application.ts';
import { insertSegments, openTestStorage, TENANT, type TestStorage } from '../../support/storage.ts';

const BY = { tenantId: TENANT, actor: 'test' };
let storage: TestStorage;
beforeAll(async () => {
  storage = await openTestStorage();
});
afterAll(() => storage.close());

async function aTranscript(
  segmentCount: number,
  timestamps: 'SEGMENT' | 'WORD' = 'SEGMENT',
): Promise<string> {
  const jobId = await storage.insert({ options: { ...aNewJob().options, timestamps } });
  await insertSegments(storage, jobId, segmentCount);
  return jobId;
}

const open = (jobId: string, format: ExportInput['format'], reader = storage.reader) =>
  openExport(applicationDeps(storage, { reader }), BY, { jobId, format, options: {} });

describe('the export of a transcript', () => {
  it('reads no page before the one before it was taken', async () => {
    const readFrom: number[] = [];
    const reader: TestStorage['reader'] = {
      ...storage.reader,
      segments: (tenantId, jobId, from, limit) => {
        readFrom.push(from);
        return storage.reader.segments(tenantId, jobId, from, limit);
      },
    };
    const file = await open(await aTranscript(1200), 'TXT', reader);
    await file?.chunks.next();
    await file?.chunks.next();

    expect(readFrom).toEqual([0]);
    await file?.chunks.next();
    expect(readFrom).toEqual([0, 500]);
    await file?.chunks.return();
  });

  it.each([1, 499, 500, 501, 1200])('holds every one of %i segments once and in order', async (count) => {
    const file = await open(await aTranscript(count), 'SRT');
    if (file === null) throw new Error('The transcript is not empty.');
    const captions = (await text(file.chunks)).trimEnd().split('\n\n');
    expect(captions.length).toBe(count);
    expect(captions.at(-1)).toMatch(new RegExp(`^${count}\n.*\nLine ${count - 1}\\.$`));
  });

  it('is null while there is no segment', async () => {
    expect(await open(await aTranscript(0), 'TXT')).toBeNull();
  });

  it.each([
    { field: 'highlightWords', options: { highlightWords: true } },
    { field: 'preset', options: { preset: 'KARAOKE' } },
  ] as const)(
    'is refused by `$field` where words are marked and have no times',
    async ({ field, options }) => {
      const jobId = await aTranscript(1);

      await expect(openExport(storage, BY, { jobId, format: 'VTT', options })).rejects.toMatchObject({
        code: 'UNSUPPORTED',
        path: ['options', field],
      });
      expect(await openExport(storage, BY, { jobId, format: 'TXT', options })).not.toBeNull();
    },
  );

  it('marks words that have times', async () => {
    const jobId = await aTranscript(1, 'WORD');
    const options = { highlightWords: true };
    const file = await describeExport(applicationDeps(storage), BY, { jobId, format: 'VTT', options });

    expect(file?.content).toContain('WEBVTT');
  });

  it.each([
    [{ maxCharsPerLine: 9 }, '`options.maxCharsPerLine` must be 10 to 120.'],
    [{ maxLines: 6 }, '`options.maxLines` must be 1 to 5.'],
  ])('is refused with %j', async (options, message) => {
    const input = { jobId: 'job_none', format: 'SRT', options } as const;

    await expect(openExport(storage, BY, input)).rejects.toMatchObject({ issues: [{ message }] });
  });
});

describe('the name of an export', () => {
  it.each([
    { filename: 'talk.mp3', expected: 'talk.srt' },
    { filename: 'abc\u202egpj.wav', expected: 'abcgpj.srt' },
    { filename: 'a\u0000b\r\nc\u2067d\u200e.mp3', expected: 'abcd.srt' },
    { filename: 'Größe "x" 🎧.tar.gz', expected: 'Größe "x" 🎧.tar.srt' },
    { filename: '\u202e.wav', expected: `${JOB_ID}.srt` },
    { filename: null, expected: `${JOB_ID}.srt` },
  ])('of $filename is $expected', ({ filename, expected }) => {
    const job = aJobView({ id: JOB_ID, audio: { ...aJobView().audio, filename } });

    expect(exportFilename(job, 'SRT')).toBe(expected);
  });
});
