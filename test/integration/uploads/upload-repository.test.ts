import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { UploadRepository } from '../../../src/uploads/upload-repository.ts';
import type { UploadRecord } from '../../../src/uploads/upload-store.ts';
import { later, NOON } from '../../support/builders.ts';
import { OTHER_TENANT, openTestStorage, TENANT, type TestStorage } from '../../support/storage.ts';

let storage: TestStorage;
let repository: UploadRepository;
beforeAll(async () => {
  storage = await openTestStorage();
  repository = new UploadRepository(storage.database);
});
beforeEach(() => storage.database.query('TRUNCATE uploads CASCADE'));
afterAll(() => storage.close());

let made = 0;
function anUpload(change: Partial<UploadRecord> = {}): UploadRecord {
  made += 1;
  return {
    id: `upl_${String(made).padStart(32, '0')}`,
    tenantId: TENANT,
    filename: 'talk.mp3',
    contentType: 'audio/mpeg',
    sizeBytes: 5 * 1024 ** 3,
    sha256: null,
    status: 'PENDING',
    storedSha256: null,
    idempotencyKey: null,
    createdAt: NOON,
    expiresAt: later(60_000),
    receivingSince: null,
    storedAt: null,
    ...change,
  };
}

const stored = { sha256: 'ab'.repeat(32), at: later(1000), expiresAt: later(90_000) };

it('returns what was inserted, sizes above 2^32 included', async () => {
  const upload = anUpload({ sha256: 'cd'.repeat(32), idempotencyKey: 'key-12345' });

  expect(await repository.insert(upload)).toEqual(upload);
  expect(await repository.find(TENANT, upload.id)).toEqual(upload);
  expect(await repository.find(TENANT, 'upl_none')).toBeNull();
  expect(await repository.find(OTHER_TENANT, upload.id)).toBeNull();
  expect(await repository.findAll(TENANT, [upload.id, 'upl_none'])).toEqual([upload]);
  expect(await repository.findAll(TENANT, [])).toEqual([]);
  expect(await repository.findAll(OTHER_TENANT, [upload.id])).toEqual([]);
});

it('returns the first upload of an idempotency key, to its own tenant only', async () => {
  const first = anUpload({ idempotencyKey: 'key-again' });
  const other = anUpload({ idempotencyKey: 'key-again', tenantId: OTHER_TENANT });
  await repository.insert(first);

  expect(await repository.insert(anUpload({ idempotencyKey: 'key-again' }))).toEqual(first);
  expect(await repository.insert(other)).toEqual(other);
});

it('lets one receiver begin, and another when the first is gone', async () => {
  const { id } = await repository.insert(anUpload());

  expect(await repository.beginReceiving(id, later(0), later(-100))).toBe(true);
  expect(await repository.beginReceiving(id, later(10), later(-90))).toBe(false);
  await repository.touchReceiving(id, later(50));
  expect(await repository.beginReceiving(id, later(110), later(10))).toBe(false);
  expect(await repository.beginReceiving(id, later(200), later(100))).toBe(true);
});

it('stores once, after which no receiver begins again', async () => {
  const { id } = await repository.insert(anUpload());
  await repository.beginReceiving(id, NOON, NOON);
  await repository.finish(id, stored);

  expect(await repository.find(TENANT, id)).toMatchObject({
    status: 'STORED',
    storedSha256: stored.sha256,
    storedAt: stored.at,
    expiresAt: stored.expiresAt,
    receivingSince: null,
  });
  expect(await repository.beginReceiving(id, later(1), later(1))).toBe(false);
});

it('can be sent again after a receiver gave up', async () => {
  const { id } = await repository.insert(anUpload());
  await repository.beginReceiving(id, NOON, NOON);
  await repository.abandon(id);

  expect(await repository.beginReceiving(id, later(1), NOON)).toBe(true);
});

it('keeps what is stored and not expired, for its own tenant', async () => {
  const { id } = await repository.insert(anUpload());
  const until = later(10_000_000);

  expect(await repository.keepUntil(TENANT, id, until, NOON)).toBe(false);
  await repository.beginReceiving(id, NOON, NOON);
  await repository.finish(id, stored);
  expect(await repository.keepUntil(OTHER_TENANT, id, until, NOON)).toBe(false);
  expect(await repository.keepUntil(TENANT, id, until, stored.expiresAt)).toBe(false);
  expect(await repository.keepUntil(TENANT, id, until, NOON)).toBe(true);
  expect((await repository.find(TENANT, id))?.expiresAt).toEqual(until);
});

it('deletes what has expired, but not what is being sent', async () => {
  const [expired, sending, fresh] = [
    anUpload({ expiresAt: later(-1) }),
    anUpload({ expiresAt: later(-1) }),
    anUpload(),
  ];
  for (const upload of [expired, sending, fresh]) await repository.insert(upload);
  await repository.beginReceiving(sending.id, NOON, NOON);

  expect(await repository.deleteExpired(NOON, later(-1000), 10)).toEqual([expired.id]);
  expect(await repository.deleteExpired(NOON, later(1000), 10)).toEqual([sending.id]);
  expect(await repository.find(TENANT, fresh.id)).not.toBeNull();
});
