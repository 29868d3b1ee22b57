import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SubmitJobInput, submitJob } from '../../../src/app/submit-job.ts';
import { AudioSourceError, IdempotencyError, ValidationError } from '../../../src/domain/errors.ts';
import { applicationDeps } from '../../support/application-deps.ts';
import {
  insertStoredUpload,
  OTHER_TENANT,
  openTestStorage,
  TENANT,
  type TestStorage,
} from '../../support/storage.ts';

const BY = { tenantId: TENANT, actor: 'test' };
const AUDIO = { url: 'https://example.com/a.mp3' };
let storage: TestStorage;
beforeAll(async () => {
  storage = await openTestStorage();
});
afterAll(() => storage.close());

describe('a call repeated with its idempotency key', () => {
  it('gets its job after the deadline, while a first call that late is refused', async () => {
    let now = new Date();
    const deps = applicationDeps(storage, { now: () => now });
    const deadline = new Date(now.getTime() + 60_000);
    const submit = (idempotencyKey: string | null) =>
      submitJob(deps, BY, { audio: AUDIO, deadline, idempotencyKey });

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

  it('gets its job after its upload and its model are gone, and is refused with another input', async () => {
    const deps = applicationDeps(storage);
    const seeModel = (name: string) =>
      storage.models.seen([{ engine: 'WHISPER', name, languages: [], isDefault: true }], new Date());
    await seeModel('small');
    const uploadId = await insertStoredUpload(storage);
    const submit = (model: string) =>
      submitJob(deps, BY, { audio: { uploadId }, model, idempotencyKey: 'the-same-key' });

    const first = await submit('small');
    await storage.database.query('DELETE FROM models');
    await seeModel('other');
    await storage.database.query(`UPDATE uploads SET expires_at = now() - interval '1 hour'`);

    expect(await submit('small')).toMatchObject({ replayed: true, job: { id: first.job.id } });
    await expect(submit('large')).rejects.toThrow(IdempotencyError);
    await storage.database.query('DELETE FROM models');
  });
});

describe('a job', () => {
  it('gets the defaults of options that are null or left out', async () => {
    const { job } = await submitJob(applicationDeps(storage), BY, { audio: AUDIO, timestamps: null });

    expect(job).toMatchObject({
      status: 'QUEUED',
      priority: 'NORMAL',
      engines: ['WHISPER'],
      tags: [],
      audio: { filename: 'a.mp3' },
      options: {
        model: 'default',
        language: null,
        timestamps: 'SEGMENT',
        diarize: false,
        translateToEnglish: false,
        vocabulary: [],
      },
    });
  });

  it('cannot use the upload of another tenant', async () => {
    const uploadId = await insertStoredUpload(storage, OTHER_TENANT);

    await expect(submitJob(applicationDeps(storage), BY, { audio: { uploadId } })).rejects.toThrow(
      AudioSourceError,
    );
  });

  it.each<[rule: string, path: string, input: Partial<SubmitJobInput>, message: string]>([
    ['oneOf', 'audio', { audio: {} }, '`audio` needs exactly one of `url` and `uploadId`.'],
    [
      'format',
      'audio.url',
      { audio: { url: 'talk.mp3' } },
      '`audio.url` must be an absolute http or https URL.',
    ],
    ['unique', 'engines', { engines: ['WHISPER', 'WHISPER'] }, '`engines` must not name an engine twice.'],
    ['min', 'engines', { engines: [] }, '`engines` must have at least 1 item.'],
    ['max', 'tags', { tags: Array.from({ length: 11 }, String) }, '`tags` must have at most 10 items.'],
    ['max', 'tags.0', { tags: ['x'.repeat(65)] }, '`tags.0` must have 1 to 64 characters.'],
    ['max', 'externalId', { externalId: 'x'.repeat(129) }, '`externalId` must have 1 to 128 characters.'],
    ['min', 'idempotencyKey', { idempotencyKey: 'short' }, '`idempotencyKey` must have 8 to 128 characters.'],
    [
      'format',
      'language',
      { language: 'x-klingon' },
      '`language` must be a BCP 47 tag such as `en` or `pt-BR`.',
    ],
    [
      'max',
      'metadata',
      { metadata: { a: 'x'.repeat(4096) } },
      '`metadata` must have at most 4096 bytes of JSON.',
    ],
    ['future', 'deadline', { deadline: new Date(0) }, '`deadline` must be in the future.'],
    [
      'after',
      'deadline',
      { scheduledFor: new Date('2100-01-02'), deadline: new Date('2100-01-01') },
      '`deadline` must be after `scheduledFor`.',
    ],
  ])('is refused by the rule `%s` of `%s`', async (rule, path, input, message) => {
    const refused = submitJob(applicationDeps(storage), BY, { audio: AUDIO, ...input });

    await expect(refused).rejects.toMatchObject({
      issues: [{ rule, path: ['input', ...path.split('.')], message }],
    });
  });
});
