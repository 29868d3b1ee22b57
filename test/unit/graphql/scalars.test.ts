import { describe, expect, it } from 'vitest';
import {
  parseDateTime,
  parseJsonObject,
  parseLanguageTag,
  parseSafeInt,
  parseUrl,
} from '../../../src/graphql/scalars.ts';

describe('scalars', () => {
  it.each([
    ['2026-01-31T09:30:00Z', '2026-01-31T09:30:00.000Z'],
    ['2026-01-31T09:30:00.123456+02:00', '2026-01-31T07:30:00.123Z'],
    ['2024-02-29T00:00:00z', '2024-02-29T00:00:00.000Z'],
  ])('take %s as a DateTime', (given, meant) => {
    expect(parseDateTime(given).toISOString()).toBe(meant);
  });

  it.each(['2026-01-31', '2026-02-31T00:00:00Z', '2026-01-31T09:30:00', 'now', 1769851800000, null])(
    'refuse %s as a DateTime',
    (given) => {
      expect(() => parseDateTime(given)).toThrow(/RFC 3339/);
    },
  );

  it.each(['talk.mp3', 'ftp://a.example/x', 'javascript:alert(1)', 'file:///etc/passwd', '', 7])(
    'refuse %s as a URL',
    (given) => {
      expect(() => parseUrl(given)).toThrow(/absolute, http or https/);
    },
  );

  it('take safe integers only', () => {
    expect(parseSafeInt(2 ** 53 - 1)).toBe(9007199254740991);
    for (const given of [2 ** 53, 1.5, '7', Number.NaN]) expect(() => parseSafeInt(given)).toThrow(/SafeInt/);
  });

  it('take JSON objects of at most 4 KiB', () => {
    expect(parseJsonObject({ note: 'é'.repeat(2000) })).toEqual({ note: 'é'.repeat(2000) });
    expect(() => parseJsonObject({ note: 'é'.repeat(2100) })).toThrow(/4096 bytes/);
    for (const given of [[], 'x', null]) expect(() => parseJsonObject(given)).toThrow(/JSON object/);
  });

  it.each(['en', 'pt-BR', 'zh-Hant-TW'])('take %s as a LanguageTag', (given) => {
    expect(parseLanguageTag(given)).toBe(given);
  });

  it.each(['', 'e', 'en_US', 'English language', 'en-', 7])('refuse %s as a LanguageTag', (given) => {
    expect(() => parseLanguageTag(given)).toThrow(/BCP 47/);
  });
});
