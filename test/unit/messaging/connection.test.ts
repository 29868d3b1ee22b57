import { expect, test } from 'vitest';
import { reconnectDelay } from '../../../src/messaging/connection.ts';

test('the first reconnects come quickly, and later ones up to 15 s apart', () => {
  const longest = [0, 1, 4, 5, 6, 8, 9, 1_000].map((tries) => reconnectDelay(tries, 1));
  expect(longest).toEqual([600, 600, 600, 1_100, 2_100, 8_100, 15_100, 15_100]);
});

test('clients that lost their connection in one moment return at random over the whole time', () => {
  expect([0, 0.5, 1].map((random) => reconnectDelay(7, random))).toEqual([100, 2_100, 4_100]);
});
