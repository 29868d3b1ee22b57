import { describe, expect, it } from 'vitest';
import {
  type ExportPorts,
  exportFilename,
  exportTranscript,
  openExport,
} from '../../../src/app/export-transcript.ts';
import { ANONYMOUS } from '../../../src/auth/authenticate.ts';
import type { ExportOptions } from '../../../src/captions/export-options.ts';
import type { JobReader } from '../../../src/storage/job-reader.ts';
import { aSegment, JOB_ID, NOON } from '../../support/builders.ts';
import { aJobView } from '../../support/fake-application.ts';

const OPTIONS: ExportOptions = {
  preset: 'WEB',
  maxCharsPerLine: 42,
  maxLines: 2,
  includeSpeakers: false,
  highlightWords: false,
};

/** A transcript of so many segments, and the places it was read from. */
function aReader(segmentCount: number) {
  const readFrom: number[] = [];
  const segments: JobReader['segments'] = async (_jobId, fromIndex, limit) => {
    readFrom.push(fromIndex);
    const count = Math.max(0, Math.min(limit, segmentCount - fromIndex));
    return Array.from({ length: count }, (_, offset) => {
      const index = fromIndex + offset;
      return aSegment({ index, startMs: index * 1000, endMs: (index + 1) * 1000, text: `Line ${index}.` });
    });
  };
  return { reader: { segments } as JobReader, readFrom };
}

const open = (reader: JobReader, format: 'TXT' | 'SRT') =>
  openExport({ reader }, aJobView({ id: JOB_ID }), { format, options: OPTIONS });

describe('the export of a transcript', () => {
  it('reads no page before the one before it was taken', async () => {
    const { reader, readFrom } = aReader(1200);
    const pieces = await open(reader, 'TXT');
    await pieces?.next();
    await pieces?.next();

    expect(readFrom).toEqual([0]);
    await pieces?.next();
    expect(readFrom).toEqual([0, 500]);
  });

  it.each([1, 499, 500, 501, 1200])('holds every one of %i segments once and in order', async (count) => {
    const { reader } = aReader(count);
    let file = '';
    for await (const piece of (await open(reader, 'SRT')) ?? []) file += piece;

    const captions = file.trimEnd().split('\n\n');
    expect(captions.length).toBe(count);
    expect(captions.at(-1)).toMatch(new RegExp(`^${count}\n.*\nLine ${count - 1}\\.$`));
  });

  it('is none while there is no segment', async () => {
    expect(await open(aReader(0).reader, 'TXT')).toBeNull();
  });
});

describe('marked words', () => {
  const exportOf = (
    timestamps: 'SEGMENT' | 'WORD',
    format: 'TXT' | 'VTT',
    options: Partial<ExportOptions>,
  ) => {
    const job = aJobView({ id: JOB_ID, options: { ...aJobView().options, timestamps } });
    const { reader } = aReader(1);
    const ports: ExportPorts = {
      reader: {
        segments: reader.segments,
        find: async () => new Map([[JOB_ID, job]]),
      } as Partial<JobReader> as JobReader,
      now: () => NOON,
      exportUrl: () => 'https://api.example/exports/1',
      startHash: () => ({ update: () => {}, hex: () => '' }),
      limited: (work) => work(),
    };
    return exportTranscript(ports, ANONYMOUS, JOB_ID, { format, options: { ...OPTIONS, ...options } });
  };

  it.each([
    { field: 'highlightWords', options: { highlightWords: true } },
    { field: 'preset', options: { preset: 'KARAOKE', highlightWords: null } },
  ] as const)(
    'are refused by `$field` where the transcript has no word times',
    async ({ field, options }) => {
      const refused = await exportOf('SEGMENT', 'VTT', options).catch((reason: unknown) => reason);

      expect(refused).toMatchObject({ code: 'UNSUPPORTED', path: ['options', field] });
    },
  );

  it('are written where it has, and not asked of formats without them', async () => {
    expect((await exportOf('WORD', 'VTT', { highlightWords: true }))?.content).toContain('WEBVTT');
    expect((await exportOf('SEGMENT', 'TXT', { preset: 'KARAOKE' }))?.content).toBe('Line 0.\n');
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

    expect(exportFilename(job, { format: 'SRT', options: OPTIONS })).toBe(expected);
  });
});
