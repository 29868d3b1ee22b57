import { describe, expect, it } from 'vitest';
import { findStart } from '../../../src/leader/projection-start.ts';
import type { EventAt } from '../../../src/messaging/event-reader.ts';

const STORED = { epoch: 'e1', sequence: 7, messageId: 'job_a:run-a:3' };
const FROM_THE_START = { offset: { epoch: 'e1', sequence: 0, messageId: null }, isNewEpoch: true };

const holding = (found: EventAt) => async (sequence: number) => {
  expect(sequence).toBe(STORED.sequence);
  return found;
};
const notAsked = async (): Promise<EventAt> => {
  throw new Error('there is nothing to compare');
};

describe('findStart', () => {
  it('reads all events when none was ever applied', async () => {
    expect(await findStart(null, 'e1', notAsked)).toEqual(FROM_THE_START);
  });

  it('reads all events of a stream that was created again', async () => {
    expect(await findStart(STORED, 'e2', notAsked)).toEqual({
      offset: { epoch: 'e2', sequence: 0, messageId: null },
      isNewEpoch: true,
    });
  });

  it('goes on at the start of a stream of which nothing was applied yet', async () => {
    const offset = { epoch: 'e1', sequence: 0, messageId: null };

    expect(await findStart(offset, 'e1', notAsked)).toEqual({ offset, isNewEpoch: false });
  });

  it.each<{ because: string; found: EventAt }>([
    { because: 'the event at the offset is there', found: { state: 'present', messageId: STORED.messageId } },
    { because: 'the event at the offset has expired', found: { state: 'expired' } },
  ])('goes on behind the offset when $because', async ({ found }) => {
    expect(await findStart(STORED, 'e1', holding(found))).toEqual({ offset: STORED, isNewEpoch: false });
  });

  it('goes on behind an event without a message id, as there is nothing to compare', async () => {
    const stored = { ...STORED, messageId: null };
    const found = holding({ state: 'present', messageId: 'any' });

    expect(await findStart(stored, 'e1', found)).toEqual({ offset: stored, isNewEpoch: false });
  });

  it.each<{ because: string; found: EventAt }>([
    { because: 'lost its end', found: { state: 'missing' } },
    {
      because: 'used the sequence again for another event',
      found: { state: 'present', messageId: 'job_b:run-b:1' },
    },
  ])('reads all events of a stream that $because', async ({ found }) => {
    expect(await findStart(STORED, 'e1', holding(found))).toEqual(FROM_THE_START);
  });
});
