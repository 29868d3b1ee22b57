import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { retryDelayMs } from '../../../src/domain/retry-policy.ts';
import { POLICY } from '../../support/builders.ts';

describe('retryDelayMs', () => {
  it.each([
    { failures: 1, longestMs: 5_000 },
    { failures: 2, longestMs: 10_000 },
    { failures: 3, longestMs: 20_000 },
    { failures: 6, longestMs: 160_000 },
    { failures: 7, longestMs: 300_000 },
    { failures: 5_000, longestMs: 300_000 },
  ])('doubles up to its cap: at most $longestMs ms after failure $failures', ({ failures, longestMs }) => {
    expect(retryDelayMs(POLICY, failures, {}, 1)).toBe(longestMs);
  });

  it('spreads retries over the whole delay', () => {
    expect(retryDelayMs(POLICY, 2, {}, 0)).toBe(0);
    expect(retryDelayMs(POLICY, 2, {}, 0.25)).toBe(2_500);
  });

  it('waits for as long as Retry-After says, even beyond the cap', () => {
    expect(retryDelayMs(POLICY, 1, { retryAfterMs: 600_000 }, 0.5)).toBe(600_000);
  });

  it('does not shorten the delay to Retry-After', () => {
    expect(retryDelayMs(POLICY, 2, { retryAfterMs: 1_000 }, 0.5)).toBe(5_000);
  });

  it('is whole milliseconds, from 0 to the cap', () => {
    const random = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000 }), random, (failures, drawn) => {
        const delayMs = retryDelayMs(POLICY, failures, {}, drawn);

        expect(Number.isInteger(delayMs)).toBe(true);
        expect(delayMs).toBeGreaterThanOrEqual(0);
        expect(delayMs).toBeLessThanOrEqual(POLICY.maxDelayMs);
      }),
    );
  });
});
