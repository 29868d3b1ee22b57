import { expect, it } from 'vitest';
import { UnavailableError } from '../../../src/domain/errors.ts';
import { atMost } from '../../../src/process/at-most.ts';

it('runs so much at once, lets some wait, and refuses the rest for now', async () => {
  const limited = atMost(1, 1);
  let finish = () => {};
  const first = limited(
    () =>
      new Promise<string>((resolve) => {
        finish = () => resolve('first');
      }),
  );
  const second = limited(async () => 'second');

  await expect(limited(async () => 'third')).rejects.toBeInstanceOf(UnavailableError);
  finish();
  expect(await Promise.all([first, second])).toEqual(['first', 'second']);
  expect(await limited(async () => 'fourth')).toBe('fourth');
});

it('passes on what the work throws', async () => {
  const error = new Error('It broke.');

  await expect(atMost(1, 0)(() => Promise.reject(error))).rejects.toBe(error);
});
