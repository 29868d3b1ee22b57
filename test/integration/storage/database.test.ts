import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UnavailableError, ValidationError } from '../../../src/domain/errors.ts';
import { createJobReader } from '../../../src/storage/job-reader.ts';
import { openTestStorage, TENANT, type TestStorage } from '../../support/storage.ts';

let storage: TestStorage;
beforeAll(async () => {
  storage = await openTestStorage();
});
afterAll(() => storage.close());

describe('text that Postgres cannot store', () => {
  it.each([
    ['a NUL in a tag', { tags: ['a\0b'] }],
    ['a NUL in metadata', { metadata: { key: 'a\0b' } }],
    ['half a surrogate pair in metadata', { metadata: { key: '\ud800' } }],
  ])('is refused as invalid input: %s', async (_, change) => {
    await expect(storage.insert(change)).rejects.toThrow(ValidationError);
  });

  it('is refused in a filter as well', async () => {
    const reader = createJobReader(storage.database);

    await expect(reader.count(TENANT, { search: 'abc\0' }, 10)).rejects.toThrow(ValidationError);
  });
});

describe('an overloaded database', () => {
  it.each([
    ['disk full', '53100'],
    ['out of memory', '53200'],
    ['deadlock', '40P01'],
    ['statement timeout', '57014'],
  ])('is reported as unavailable: %s', async (_, code) => {
    const raise = () =>
      storage.database.query(`DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '${code}'; END $$`);

    await expect(raise()).rejects.toThrow(UnavailableError);
  });
});
