import { describe, expect, it } from 'vitest';
import { openExport } from '../../../src/app/export-transcript.ts';
import type { JobReader } from '../../../src/storage/job-reader.ts';
import { aSegment, JOB_ID } from '../../support/builders.ts';
import { aJobView } from '../../support/fake-application.ts';

const OPTIONS = { maxCharsPerLine: 42, maxLines: 2, includeSpeakers: false, highlightWords: false };

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
