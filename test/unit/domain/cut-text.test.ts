import { describe, expect, it } from 'vitest';
import { firstChars, lastChars } from '../../../src/domain/cut-text.ts';

describe('firstChars', () => {
  it.each([
    ['short', 9, 'short'],
    ['longer', 4, 'long'],
    ['a\u{1F600}b', 2, 'a'],
    ['a\u{1F600}b', 3, 'a\u{1F600}'],
    ['', 3, ''],
  ])('of %j, %i at most, are %j', (text, length, expected) => {
    expect(firstChars(text, length)).toBe(expected);
  });
});

describe('lastChars', () => {
  it.each([
    ['short', 9, 'short'],
    ['longer', 4, 'nger'],
    ['a\u{1F600}b', 2, 'b'],
    ['a\u{1F600}b', 3, '\u{1F600}b'],
    ['anything', 0, ''],
  ])('of %j, %i at most, are %j', (text, length, expected) => {
    expect(lastChars(text, length)).toBe(expected);
  });
});
