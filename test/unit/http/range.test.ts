import { describe, expect, it } from 'vitest';
import { parseRange } from '../../../src/http/range.ts';

describe('a Range header', () => {
  it.each([
    ['bytes=0-0', { start: 0, end: 0 }],
    ['bytes=5-', { start: 5, end: 9 }],
    ['bytes=5-1000', { start: 5, end: 9 }],
    ['bytes=-3', { start: 7, end: 9 }],
    ['bytes=-1000', { start: 0, end: 9 }],
  ])('%s is a part of ten bytes', (header, range) => {
    expect(parseRange(header, 10)).toEqual(range);
  });

  it.each([undefined, 'bytes=-', 'bytes=5-2', 'bytes=0-1,3-4', 'items=0-1', 'nonsense'])(
    '%s means the whole',
    (header) => {
      expect(parseRange(header, 10)).toBeNull();
    },
  );

  it.each(['bytes=10-', 'bytes=-0', 'bytes=99-100'])('%s lies outside', (header) => {
    expect(() => parseRange(header, 10)).toThrow(/10 bytes/);
  });
});
