import { expect, test } from 'vitest';
import { chooseCut } from '../../../../worker/audio/choose-cut.ts';

/** Loud sound but for the pauses, in milliseconds. */
function sound(totalMs: number, pauses: readonly { fromMs: number; toMs: number; level?: number }[]) {
  const samples = new Int16Array(totalMs * 16).map((_, at) => (at % 2 === 0 ? 8000 : -8000));
  for (const { fromMs, toMs, level = 0 } of pauses) {
    samples.subarray(fromMs * 16, toMs * 16).forEach((sample, at, part) => {
      part[at] = Math.sign(sample) * level;
    });
  }
  return samples;
}

test('cuts in the middle of a pause', () => {
  const cut = chooseCut(sound(4000, [{ fromMs: 1000, toMs: 1200 }]));
  expect(cut).toBe(1100);
});

test('chooses the quieter of two pauses, also when neither is silent', () => {
  const pauses = [
    { fromMs: 500, toMs: 900, level: 300 },
    { fromMs: 3000, toMs: 3400, level: 200 },
  ];
  const cut = chooseCut(sound(4000, pauses));
  expect(cut).toBeGreaterThanOrEqual(3100);
  expect(cut).toBeLessThanOrEqual(3300);
});

test('cuts in the middle when everything is equally loud or silent', () => {
  expect(chooseCut(sound(4000, []))).toBe(2000);
  expect(chooseCut(new Int16Array(4000 * 16))).toBe(2000);
});

test('prefers a pause of 200 ms to a shorter, deeper gap within a word', () => {
  const pauses = [
    { fromMs: 1000, toMs: 1060 },
    { fromMs: 2000, toMs: 2200, level: 500 },
  ];
  expect(chooseCut(sound(4000, pauses))).toBe(2100);
});

test('cuts audio that is too short to contain a pause in the middle', () => {
  expect(chooseCut(sound(100, []))).toBe(50);
});
