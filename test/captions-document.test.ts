import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { PRESETS } from '../src/captions/caption-rules.ts';
import { CAPTION_PRESETS, type ExportFormat, type ExportOptions } from '../src/captions/export-options.ts';
import { SCRIPTS } from '../src/captions/text-script.ts';
import type { Segment } from '../src/domain/transcript.ts';
import { writeTranscript } from './support/write-transcript.ts';

const document = readFileSync(new URL('../docs/captions.md', import.meta.url), 'utf8');

function examplesOf(language: string): string[] {
  return [...document.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, text]) => text ?? '',
  );
}

const [json = ''] = examplesOf('json');
const { segments, ...head }: { segments: Segment[]; language: string; durationMs: number } = JSON.parse(json);

function exported(format: ExportFormat, options: Partial<ExportOptions> = {}): string {
  return writeTranscript(format, head, segments, {
    preset: 'WEB',
    maxCharsPerLine: null,
    maxLines: null,
    includeSpeakers: false,
    highlightWords: null,
    ...options,
  });
}

describe('docs/captions.md', () => {
  test('shows each format as it is written', () => {
    expect([json]).toEqual([exported('JSON')]);
    expect(examplesOf('text')).toEqual([exported('TXT')]);
    expect(examplesOf('srt')).toEqual([exported('SRT')]);
    expect(examplesOf('vtt')).toEqual([
      exported('VTT', { includeSpeakers: true }),
      exported('VTT', { preset: 'KARAOKE' }),
    ]);
    expect(examplesOf('tsv').map((text) => `\ufeff${text}`)).toEqual([exported('TSV')]);
  });

  test('has the rules of the presets', () => {
    const perScript = (rule: 'maxCharsPerLine' | 'charsPerSecond') =>
      SCRIPTS.map((script) => CAPTION_PRESETS.map((preset) => String(PRESETS[preset][rule][script])));
    const numbers = (
      ['maxLines', 'minCueMs', 'maxCueMs', 'lingerMs', 'minGapMs', 'closeGapsBelowMs'] as const
    ).map((rule) => CAPTION_PRESETS.map((preset) => String(PRESETS[preset][rule])));
    const marks = CAPTION_PRESETS.map((preset) => (PRESETS[preset].highlightWords ? 'yes' : 'no'));

    const [, table = ''] = document.split(
      '| rule | `WEB` | `BROADCAST` | `KARAOKE` |\n| --- | --- | --- | --- |\n',
    );
    const rows = table
      .slice(0, table.indexOf('\n\n'))
      .split('\n')
      .map((row) =>
        row
          .split('|')
          .slice(2, -1)
          .map((cell) => cell.trim()),
      );

    expect(rows).toEqual([
      ...perScript('maxCharsPerLine'),
      ...perScript('charsPerSecond'),
      ...numbers,
      marks,
    ]);
  });
});
