import { describe, expect, it } from 'vitest';
import { isLost, lookAgain, silentSince, startWatch } from '../../../src/leader/silence.ts';
import { later, NOON } from '../../support/builders.ts';

const CONNECTED = { isConnected: true, maxPauseMs: 10_000 };

describe('the watch for silent runs', () => {
  it('goes on from look to look', () => {
    const watch = lookAgain(startWatch(NOON), later(10_000), CONNECTED);

    expect(watch).toEqual({ since: NOON, lastLookAt: later(10_000) });
  });

  it('starts again after a pause of this process', () => {
    const watch = lookAgain(startWatch(NOON), later(10_001), CONNECTED);

    expect(watch).toEqual(startWatch(later(10_001)));
  });

  it('starts again while NATS is away', () => {
    const watch = lookAgain(startWatch(NOON), later(2_000), { ...CONNECTED, isConnected: false });

    expect(watch).toEqual(startWatch(later(2_000)));
  });

  it('does not judge a silence that is longer than itself', () => {
    expect(silentSince(startWatch(NOON), later(29_999), 30_000)).toBeNull();
    expect(silentSince(startWatch(NOON), later(30_000), 30_000)).toEqual(NOON);
    expect(silentSince(startWatch(NOON), later(90_000), 30_000)).toEqual(later(60_000));
  });
});

describe('a run', () => {
  const job = { status: 'PROCESSING' } as const;

  it.each([
    { seen: 'never', lastSeenAt: null, lost: true },
    { seen: 'before the silence', lastSeenAt: later(-1), lost: true },
    { seen: 'when the silence began', lastSeenAt: NOON, lost: true },
    { seen: 'since then', lastSeenAt: later(1), lost: false },
  ])('that was seen $seen: lost is $lost', ({ lastSeenAt, lost }) => {
    expect(isLost(job, lastSeenAt, NOON)).toBe(lost);
  });

  it('is not lost before it starts', () => {
    expect(isLost({ status: 'QUEUED' }, null, NOON)).toBe(false);
  });
});
