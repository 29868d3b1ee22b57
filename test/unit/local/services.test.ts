import { expect, it } from 'vitest';
import { addressOf } from '../../../src/local/services.ts';

it.each([
  ['postgres://me:secret@db.example.com:5432/jobs', 'db.example.com:5432'],
  ['nats://one:4222,nats://me:secret@two:4222', 'one:4222, two:4222'],
  ['one:4222, me:secret@two:4222', 'one:4222, two:4222'],
])('an address is shown without its login: %s', (url, shown) => {
  expect(addressOf(url)).toBe(shown);
});
