import { describe, expect, it } from 'vitest';
import { encodeCursor, WatchCursor } from '../../../src/live/watch-cursor.ts';
import { JOB_ID } from '../../support/builders.ts';

const CURSOR: WatchCursor = { jobId: JOB_ID, generation: 2, nextIndex: 17, revision: 40 };
const encoded = (text: string): string => Buffer.from(text).toString('base64url');

describe('a cursor of a subscription', () => {
  it('survives encoding, up to nine digits each', () => {
    const largest = { jobId: JOB_ID, generation: 999_999_999, nextIndex: 999_999_999, revision: 999_999_999 };

    expect(WatchCursor.parse(encodeCursor(CURSOR))).toEqual(CURSOR);
    expect(WatchCursor.parse(encodeCursor(largest))).toEqual(largest);
  });

  it('is safe in a URL and stable across releases', () => {
    expect(encodeCursor(CURSOR)).toBe(encoded(`1.${JOB_ID}.2.17.40`));
    expect(encodeCursor(CURSOR)).toMatch(/^[\w-]+$/);
  });

  it.each([
    { what: 'nothing', text: '' },
    { what: 'text that is not encoded', text: `1.${JOB_ID}.2.17.40` },
    { what: 'another version', text: encoded(`2.${JOB_ID}.2.17.40`) },
    { what: 'something in front', text: encoded(`x1.${JOB_ID}.2.17.40`) },
    { what: 'something behind', text: encoded(`1.${JOB_ID}.2.17.40x`) },
    { what: 'a job id with a longer prefix', text: encoded(`1.jobs_${JOB_ID.slice(4)}.2.17.40`) },
    { what: 'a job id that is too short', text: encoded(`1.${JOB_ID.slice(0, -1)}.2.17.40`) },
    { what: 'a job id with upper case', text: encoded(`1.${JOB_ID.toUpperCase()}.2.17.40`) },
    { what: 'ten digits', text: encoded(`1.${JOB_ID}.2.17.1000000000`) },
    { what: 'a missing number', text: encoded(`1.${JOB_ID}.2..40`) },
    { what: 'a negative number', text: encoded(`1.${JOB_ID}.2.-1.40`) },
    { what: 'another separator', text: encoded(`1-${JOB_ID}-2-17-40`) },
  ])('is refused with $what', ({ text }) => {
    const { success, error } = WatchCursor.safeParse(text);

    expect(success).toBe(false);
    expect(error?.issues).toMatchObject([
      { message: 'is not a cursor of this subscription', params: { rule: 'cursor' } },
    ]);
  });
});
