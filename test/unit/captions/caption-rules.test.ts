import { describe, expect, it } from 'vitest';
import { captionRules, highlightsWords } from '../../../src/captions/caption-rules.ts';
import { CAPTION_PRESETS, type ExportOptions } from '../../../src/captions/export-options.ts';
import { SCRIPTS, scriptOf } from '../../../src/captions/text-script.ts';

const optionsOf = (change: Partial<ExportOptions>): ExportOptions => ({
  preset: 'WEB',
  maxCharsPerLine: null,
  maxLines: null,
  includeSpeakers: false,
  highlightWords: null,
  ...change,
});

describe('rules of captions', () => {
  it.each(CAPTION_PRESETS)('are possible for every script (%s)', (preset) => {
    for (const script of SCRIPTS) {
      const rules = captionRules(optionsOf({ preset }), script);

      expect(rules.minCueMs).toBeGreaterThanOrEqual(500);
      expect(rules.minCueMs).toBeLessThanOrEqual(1_000);
      expect(rules.maxCueMs).toBeGreaterThan(rules.minCueMs);
      expect(rules.minGapMs).toBeLessThan(rules.minCueMs);
      // Full lines can be read in the longest time.
      const fullMs = (rules.maxCharsPerLine * rules.maxLines * 1_000) / rules.charsPerSecond;
      expect(fullMs).toBeLessThanOrEqual(rules.maxCueMs);
    }
  });

  it('are those of the options where they say something', () => {
    const rules = captionRules(
      optionsOf({ preset: 'KARAOKE', maxCharsPerLine: 20, maxLines: 3 }),
      'JAPANESE',
    );

    expect(rules).toMatchObject({ maxCharsPerLine: 20, maxLines: 3 });
  });

  it.each([
    { preset: 'WEB', highlightWords: null, marks: false },
    { preset: 'WEB', highlightWords: true, marks: true },
    { preset: 'KARAOKE', highlightWords: null, marks: true },
    { preset: 'KARAOKE', highlightWords: false, marks: false },
  ] as const)('mark words by the preset unless asked ($preset, $highlightWords)', ({ marks, ...options }) => {
    expect(highlightsWords(optionsOf(options))).toBe(marks);
  });
});

describe('the script of a text', () => {
  it.each([
    { text: 'Hello.', language: null, script: 'ALPHABETIC' },
    { text: 'Привет, שלום, नमस्ते', language: null, script: 'ALPHABETIC' },
    { text: '42 — …', language: 'ja', script: 'ALPHABETIC' },
    { text: '今天天气很好', language: null, script: 'CHINESE' },
    { text: '東京大阪', language: 'ja', script: 'JAPANESE' },
    { text: '東京大阪', language: 'ja-JP', script: 'JAPANESE' },
    { text: 'iPhoneを買いました、とてもいいです', language: null, script: 'JAPANESE' },
    { text: '오늘은 날씨가 좋네요', language: null, script: 'KOREAN' },
    { text: 'สวัสดีครับ', language: null, script: 'THAI' },
    { text: 'The word is 茶.', language: 'zh', script: 'ALPHABETIC' },
  ])('of "$text" ($language) is $script', ({ text, language, script }) => {
    expect(scriptOf(text, language)).toBe(script);
  });
});
