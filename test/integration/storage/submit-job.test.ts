import { v7 as uuidv7 } from 'uuid';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type SubmitJobPorts, submitJob } from '../../../src/app/submit-job.ts';
import { IdempotencyError, NotFoundError, ValidationError } from '../../../src/domain/errors.ts';
import { createJobReader } from '../../../src/storage/job-reader.ts';
import { openTestStorage, TENANT, type TestStorage } from '../../support/storage.ts';

const BY = { tenantId: TENANT, actor: 'test' };
let storage: TestStorage;
beforeAll(async () => {
  storage = await openTestStorage();
});
afterAll(() => storage.close());

it('a call repeated after its deadline gets its job, and a first one that late is refused', async () => {
  let now = new Date();
  const ports = {
    store: storage.store,
    reader: createJobReader(storage.database),
    models: { known: async () => [] },
    tenants: { defaultEngines: async () => null },
    environment: { now: () => now, random: () => 0, uuid: uuidv7 },
    policy: { maxAttempts: 3, defaultEngines: ['WHISPER'] },
    urlProblem: () => null,
    hash: (text: string) => text,
  } as unknown as SubmitJobPorts;
  const deadline = new Date(now.getTime() + 60_000);
  const submit = (idempotencyKey: string | null) =>
    submitJob(ports, BY, { audio: { url: 'https://example.com/a.mp3' }, deadline, idempotencyKey });

  const first = await submit('before-it-passed');
  now = new Date(deadline.getTime() + 1);
  const again = await submit('before-it-passed');

  expect(first.replayed).toBe(false);
  expect(again).toMatchObject({ replayed: true, job: { id: first.job.id } });
  await expect(submit('only-after')).rejects.toThrow(ValidationError);
  await expect(submit(null)).rejects.toThrow(ValidationError);
  now = new Date(deadline.getTime() - 1);
  expect(await submit('only-after')).toMatchObject({ replayed: false });
});

it('a call repeated after its upload and its model are gone gets its job, and with another input is refused', async () => {
  let gone = false;
  const models = [{ engine: 'WHISPER', name: 'small', languages: [], isDefault: true }];
  const ports = {
    store: storage.store,
    reader: createJobReader(storage.database),
    models: { known: async () => (gone ? [{ ...models[0], name: 'other' }] : models) },
    tenants: { defaultEngines: async () => null },
    environment: { now: () => new Date(), random: () => 0, uuid: uuidv7 },
    policy: { maxAttempts: 3, defaultEngines: ['WHISPER'] },
    claimUpload: async (_by: unknown, id: string) => {
      if (gone) throw new NotFoundError('upload', id);
      return { filename: 'a.mp3', contentType: null, sizeBytes: 1, sha256: null };
    },
    hash: (text: string) => text,
  } as unknown as SubmitJobPorts;
  const submit = (model: string) =>
    submitJob(ports, BY, { audio: { uploadId: 'upl_1' }, model, idempotencyKey: 'the-same-key' });

  const first = await submit('small');
  gone = true;

  expect(await submit('small')).toMatchObject({ replayed: true, job: { id: first.job.id } });
  await expect(submit('large')).rejects.toThrow(IdempotencyError);
});
