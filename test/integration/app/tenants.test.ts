import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Api, createApplication } from '../../../src/app/application.ts';
import { NotFoundError } from '../../../src/domain/errors.ts';
import { UploadError } from '../../../src/uploads/upload-store.ts';
import { applicationDeps } from '../../support/application-deps.ts';
import {
  insertSegments,
  insertStoredUpload,
  OTHER_TENANT,
  openTestStorage,
  TENANT,
  type TestStorage,
} from '../../support/storage.ts';

/** What a tenant gets when it uses the ids of another one's failed job and stored upload. */
type Attempt = (api: Api, ids: { readonly jobId: string; readonly uploadId: string }) => Promise<unknown>;
interface Refusal {
  readonly attempt: Attempt;
  /** A value as if nothing were there, or an error. */
  readonly expected: unknown;
}

const { signal } = new AbortController();
const EXPORT = { format: 'TXT', options: {} } as const;
const EMPTY_PAGE = { edges: [], hasNextPage: false, hasPreviousPage: false };
const NOTHING_CHANGED = { matched: 0, changed: 0, skipped: 0, dryRun: false, failures: [] };

/** Each method that takes an id or reads what belongs to a tenant; the types demand that none is missing. */
const REFUSALS: {
  readonly [Group in Exclude<keyof Api, 'queues' | 'models'>]: {
    readonly [Method in keyof Api[Group]]: Refusal;
  };
} = {
  jobs: {
    submit: {
      attempt: (api, { uploadId }) => api.jobs.submit({ audio: { uploadId } }),
      expected: expect.objectContaining({ code: 'AUDIO_UNREACHABLE' }),
    },
    cancel: { attempt: (api, { jobId: id }) => api.jobs.cancel({ id }), expected: expect.any(NotFoundError) },
    retry: { attempt: (api, { jobId: id }) => api.jobs.retry({ id }), expected: expect.any(NotFoundError) },
    delete: {
      attempt: (api, { jobId: id }) => api.jobs.delete({ id, force: true }),
      expected: expect.any(NotFoundError),
    },
    find: { attempt: (api, { jobId }) => api.jobs.find([jobId]), expected: [null] },
    findByExternalId: { attempt: (api) => api.jobs.findByExternalId('theirs'), expected: null },
    list: { attempt: (api) => api.jobs.list({}), expected: EMPTY_PAGE },
    count: { attempt: (api) => api.jobs.count({}), expected: 0 },
    countByStatus: { attempt: (api) => api.jobs.countByStatus({}), expected: [] },
    attempts: { attempt: (api, { jobId }) => api.jobs.attempts([jobId]), expected: new Map() },
    queuePositions: { attempt: (api, { jobId }) => api.jobs.queuePositions([jobId]), expected: new Map() },
    watch: {
      attempt: (api, { jobId: id }) => api.jobs.watch({ id }, signal).next(),
      expected: expect.any(NotFoundError),
    },
    watchSegments: {
      attempt: (api, { jobId: id }) => api.jobs.watchSegments({ id }, signal).next(),
      expected: expect.any(NotFoundError),
    },
  },
  transcripts: {
    segments: {
      attempt: (api, { jobId }) => api.transcripts.segments({ jobId }),
      expected: { segments: [], hasPreviousPage: false, hasNextPage: false },
    },
    speakers: { attempt: (api, { jobId }) => api.transcripts.speakers(jobId), expected: [] },
    text: { attempt: (api, { jobId }) => api.transcripts.text(jobId), expected: '' },
    describeExport: {
      attempt: (api, { jobId }) => api.transcripts.describeExport({ jobId, ...EXPORT }),
      expected: null,
    },
    openExport: {
      attempt: (api, { jobId }) => api.transcripts.openExport({ jobId, ...EXPORT }),
      expected: null,
    },
  },
  deadLetters: {
    list: { attempt: (api) => api.deadLetters.list({}), expected: EMPTY_PAGE },
    groups: { attempt: (api) => api.deadLetters.groups({}), expected: [] },
    requeue: { attempt: (api) => api.deadLetters.requeue({ filter: {} }), expected: NOTHING_CHANGED },
    discard: { attempt: (api) => api.deadLetters.discard({ filter: {} }), expected: NOTHING_CHANGED },
  },
  uploads: {
    create: {
      attempt: async (api) => {
        const input = {
          filename: 'a.mp3',
          contentType: 'audio/mpeg',
          sizeBytes: 1,
          idempotencyKey: 'same-key',
        };
        return (await api.uploads.create(input)).id === (await theirs.uploads.create(input)).id;
      },
      expected: false,
    },
    find: { attempt: (api, { uploadId }) => api.uploads.find([uploadId]), expected: [null] },
    receive: {
      attempt: (api, { uploadId }) =>
        api.uploads.receive(uploadId, {
          contentLength: 1,
          signal,
          open: () => {
            throw new Error('The body must not be read.');
          },
        }),
      expected: expect.objectContaining({ code: 'UPLOAD_NOT_FOUND' }),
    },
    findStored: {
      attempt: (api, { uploadId }) => api.uploads.findStored(uploadId),
      expected: expect.any(UploadError),
    },
  },
};

let storage: TestStorage;
let mine: Api;
let theirs: Api;
let ids: { readonly jobId: string; readonly uploadId: string };
beforeAll(async () => {
  storage = await openTestStorage();
  const app = createApplication(applicationDeps(storage));
  mine = app.as({ tenantId: TENANT, actor: 'test' });
  theirs = app.as({ tenantId: OTHER_TENANT, actor: 'test' });
  const jobId = await storage.insert({ tenantId: OTHER_TENANT, externalId: 'theirs' });
  const uploadId = await insertStoredUpload(storage, OTHER_TENANT);
  ids = { jobId, uploadId };
  await insertSegments(storage, jobId, 2);
  await storage.database.query(`UPDATE segments SET speaker = '0' WHERE job_id = $1`, [jobId]);
  await storage.database.query(
    `INSERT INTO attempts (job_id, number, engine, model, worker_id, run_id, started_at)
     VALUES ($1, 1, 'WHISPER', 'base', 'wrk_1', 'run-1', now())`,
    [jobId],
  );
  await storage.database.query(
    `UPDATE jobs SET status = 'FAILED', segment_count = 2, finished_at = now(), expires_at = now() + interval '1 day',
       dead_lettered_at = now(), failure_at = now(), failure_fingerprint = 'X', failure_kind = 'INTERNAL',
       failure = '{"kind":"INTERNAL","code":"X","message":"no","retryable":true}' WHERE id = $1`,
    [jobId],
  );
});
afterAll(() => storage.close());

describe('what belongs to another tenant', () => {
  const cases = Object.entries(REFUSALS).flatMap(([group, methods]) =>
    Object.entries(methods).map(([method, refusal]) => ({
      name: `${group}.${method}`,
      refusal: refusal as Refusal,
    })),
  );

  it.each(cases)('is absent for $name', async ({ refusal }) => {
    const result = await refusal.attempt(mine, ids).catch((error: unknown) => error);

    expect(result).toEqual(refusal.expected);
  });
});

describe('the same reads by the tenant itself', () => {
  it.each<[string, (api: Api, jobId: string) => Promise<unknown>, unknown]>([
    ['jobs.find', (api, id) => api.jobs.find([id]), [expect.objectContaining({ status: 'FAILED' })]],
    ['jobs.list', (api) => api.jobs.list({}), expect.objectContaining({ edges: [expect.anything()] })],
    ['jobs.count', (api) => api.jobs.count({}), 1],
    [
      'jobs.attempts',
      async (api, id) => (await api.jobs.attempts([id])).get(id),
      [expect.objectContaining({ number: 1 })],
    ],
    ['transcripts.text', (api, id) => api.transcripts.text(id), 'Line 0. Line 1.'],
    ['transcripts.speakers', (api, id) => api.transcripts.speakers(id), [{ id: '0', totalMs: 2000 }]],
    [
      'transcripts.segments',
      (api, id) => api.transcripts.segments({ jobId: id, first: 1 }),
      { segments: [expect.objectContaining({ index: 0 })], hasPreviousPage: false, hasNextPage: true },
    ],
    ['deadLetters.groups', (api) => api.deadLetters.groups({}), [expect.objectContaining({ count: 1 })]],
    [
      'jobs.watch',
      async (api, id) => (await api.jobs.watch({ id }, signal).next()).value,
      expect.objectContaining({ type: 'SNAPSHOT' }),
    ],
  ])('succeed: %s', async (_name, read, expected) => {
    expect(await read(theirs, ids.jobId)).toEqual(expected);
  });

  it('finds the place of a waiting job for its tenant alone', async () => {
    const waiting = await storage.insert({ tenantId: OTHER_TENANT });

    expect((await theirs.jobs.queuePositions([waiting])).get(waiting)).toMatchObject({ position: 1 });
    expect(await mine.jobs.queuePositions([waiting])).toEqual(new Map());
  });
});
