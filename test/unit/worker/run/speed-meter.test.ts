import { expect, test } from 'vitest';
import { SpeedMeter } from '../../../../worker/run/speed-meter.ts';

test('the rate of a model is unknown before its first run, and then follows the newest runs', () => {
  const speed = new SpeedMeter();
  expect(speed.rateOf('base')).toBeNull();
  speed.record('base', 60_000, 10_000);
  expect(speed.rateOf('base')).toBe(6);
  speed.record('base', 60_000, 5_000);
  expect(speed.rateOf('base')).toBeCloseTo(7.8);
  expect(speed.rateOf('tiny')).toBeNull();
  expect(speed.overall).toBeCloseTo(7.8);
});

test('runs that are too short to measure are not counted', () => {
  const speed = new SpeedMeter();
  speed.record('base', 60_000, 10);
  speed.record('base', 0, 10_000);
  expect(speed.rateOf('base')).toBeNull();
});
