import type { Principal } from '../domain/principal.ts';
import { expiryOf, type UploadDeps } from './upload-deps.ts';
import { sizeMismatch, UploadError, type UploadRecord } from './upload-store.ts';

/** A receiver that has not touched its row for this long counts as gone. */
export const STALE_RECEIVER_MS = 120_000;
const TOUCH_INTERVAL_MS = 30_000;

export interface UploadBody {
  /** From the request's header, to refuse early; null when there is none. */
  readonly contentLength: number | null;
  readonly signal: AbortSignal;
  /** Called once the upload is accepted. */
  open(): AsyncIterable<Uint8Array>;
}

/**
 * Receives the file of an upload, once. After a failure it can be sent again until the URL expires.
 *
 * @throws UploadError
 */
export async function receiveUpload(
  deps: UploadDeps,
  by: Principal,
  id: string,
  body: UploadBody,
): Promise<{ readonly id: string; readonly sizeBytes: number; readonly sha256: string }> {
  const { repository, store, environment } = deps;
  const upload = await repository.find(by.tenantId, id);
  if (upload === null) throw new UploadError('UPLOAD_NOT_FOUND', `There is no upload ${id}.`);
  refuseWrongLength(upload, body.contentLength, deps.config.MAX_AUDIO_BYTES);
  await begin(deps, upload);
  const touching = setInterval(() => {
    // The next one makes up for a failure: another sender takes over only after several.
    repository.touchReceiving(id, environment.now()).catch(() => undefined);
  }, TOUCH_INTERVAL_MS);
  try {
    const expected = { sizeBytes: upload.sizeBytes, sha256: upload.sha256, signal: body.signal };
    const { sha256 } = await store.receive(id, body.open(), expected);
    await finish(deps, upload, sha256);
    return { id, sizeBytes: upload.sizeBytes, sha256 };
  } catch (error) {
    // After a take-over the row belongs to the other sender.
    if (!(error instanceof UploadError && error.code === 'UPLOAD_IN_PROGRESS')) await repository.abandon(id);
    throw error;
  } finally {
    clearInterval(touching);
  }
}

function refuseWrongLength(upload: UploadRecord, contentLength: number | null, maxBytes: number): void {
  if (contentLength === null || contentLength === upload.sizeBytes) return;
  if (contentLength <= maxBytes) throw sizeMismatch(upload.sizeBytes, `${contentLength} were sent`);
  const message = `The file has ${contentLength} bytes; the maximum is ${maxBytes}.`;
  throw new UploadError('UPLOAD_TOO_LARGE', message);
}

async function begin({ repository, environment }: UploadDeps, upload: UploadRecord): Promise<void> {
  const { id, tenantId } = upload;
  const now = environment.now();
  const staleBefore = new Date(now.getTime() - STALE_RECEIVER_MS);
  if (await repository.beginReceiving(id, now, staleBefore)) return;
  const current = await repository.find(tenantId, id);
  if (current?.status === 'STORED') throw alreadyUsed(id);
  throw new UploadError('UPLOAD_IN_PROGRESS', `Upload ${id} is being sent by another request.`);
}

/** The row decides whose file counts; it may be STORED by this very call although the answer was lost. */
async function finish(deps: UploadDeps, { id, tenantId }: UploadRecord, sha256: string): Promise<void> {
  const { repository, environment } = deps;
  try {
    // A job must be submitted within the same time again.
    await repository.finish(id, { sha256, at: environment.now(), expiresAt: expiryOf(deps) });
  } catch (error) {
    const current = await repository.find(tenantId, id);
    if (current?.status !== 'STORED') throw error;
    if (current.storedSha256 !== sha256) throw alreadyUsed(id);
  }
}

function alreadyUsed(id: string): UploadError {
  const message = `Upload ${id} already has its file; create another upload for another file.`;
  return new UploadError('UPLOAD_ALREADY_USED', message);
}
