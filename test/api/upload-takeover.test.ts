import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { ANONYMOUS } from '../../src/auth/authenticate.ts';
import { createUpload } from '../../src/uploads/create-upload.ts';
import { receiveUpload } from '../../src/uploads/receive-upload.ts';
import { sweepExpiredUploads } from '../../src/uploads/stored-upload.ts';
import { startUploadEdge, type UploadEdge } from '../support/edge.ts';
import { openTestStorage, TENANT, type TestStorage } from '../support/storage.ts';

const [FIRST, SECOND] = [Buffer.from('first'), Buffer.from('other')];
const sha256Of = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

let storage: TestStorage;
let edge: UploadEdge;
let clockMs: number;
let id: string;
beforeAll(async () => {
  storage = await openTestStorage();
});
beforeEach(async () => {
  clockMs = Date.now();
  edge = await startUploadEdge(storage, { now: () => new Date(clockMs), ttlSeconds: 600 });
  const input = { filename: 'talk.mp3', contentType: 'audio/mpeg', sizeBytes: FIRST.length };
  id = (await createUpload(edge.uploads, ANONYMOUS, input)).id;
});
afterEach(() => edge.close());
afterAll(() => storage.close());

function latch() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** A sender that continues on command; `written` resolves when its first byte was accepted. */
function aSender(bytes: Uint8Array) {
  const goOn = latch();
  const written = latch();
  async function* body() {
    yield bytes.subarray(0, 1);
    written.open();
    await goOn.opened;
    yield bytes.subarray(1);
  }
  const { signal } = new AbortController();
  const outcome = receiveUpload(edge.uploads, ANONYMOUS, id, { contentLength: null, signal, open: body });
  return { outcome, written: written.opened, goOn: goOn.open };
}

async function content(): Promise<Response> {
  return fetch(edge.links.contentUrl(TENANT, id));
}

it('keeps only the file of the sender that took over from a silent one', async () => {
  const silent = aSender(FIRST);
  await silent.written;
  clockMs += 121_000;
  const next = aSender(SECOND);
  await next.written;
  silent.goOn();
  await expect(silent.outcome).rejects.toMatchObject({ code: 'UPLOAD_IN_PROGRESS' });
  next.goOn();

  expect(await next.outcome).toMatchObject({ sha256: sha256Of(SECOND) });
  expect(await (await content()).text()).toBe('other');
  expect(await edge.uploadedFiles()).toEqual([sha256Of(SECOND)]);
});

it('keeps the file that the row names when an earlier sender finishes after all', async () => {
  const { repository } = edge.uploads;
  const finish = repository.finish.bind(repository);
  const late = aSender(SECOND);
  await late.written;
  const stored = { sha256: sha256Of(FIRST), at: new Date(clockMs), expiresAt: new Date(clockMs + 600_000) };
  repository.finish = async () => {
    await finish(id, stored);
    throw new Error('It was finished already.');
  };
  late.goOn();

  await expect(late.outcome).rejects.toMatchObject({ code: 'UPLOAD_ALREADY_USED' });
  expect((await repository.find(TENANT, id))?.storedSha256).toBe(sha256Of(FIRST));
});

it('answers UPLOAD_NOT_FOUND when the file is not on this server', async () => {
  const sender = aSender(FIRST);
  sender.goOn();
  await sender.outcome;
  await edge.uploads.store.remove(id);
  const response = await content();

  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'UPLOAD_NOT_FOUND' } }] });
});

it('deletes what a vanished sender left behind', async () => {
  const lost = aSender(FIRST);
  await lost.written;
  clockMs += 601_000;
  await sweepExpiredUploads(edge.uploads);

  expect(await edge.uploadedFiles()).toEqual([]);
  lost.goOn();
  await expect(lost.outcome).rejects.toMatchObject({ code: 'UPLOAD_IN_PROGRESS' });
});
