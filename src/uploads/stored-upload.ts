import type { Readable } from 'node:stream';
import { NotFoundError, ValidationError } from '../domain/errors.ts';
import type { Principal } from '../domain/principal.ts';
import { STALE_RECEIVER_MS } from './receive-upload.ts';
import type { UploadDeps } from './upload-deps.ts';
import { type ByteRange, UploadError, type UploadRecord } from './upload-store.ts';

const SWEEP_BATCH = 100;

export interface StoredFile {
  readonly filename: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  /** @throws UploadError UPLOAD_NOT_FOUND where the file is not on this server. */
  open(range: ByteRange): Promise<Readable>;
}

/** @throws UploadError UPLOAD_NOT_FOUND, UPLOAD_NOT_STORED. */
export async function findStoredFile(deps: UploadDeps, by: Principal, id: string): Promise<StoredFile> {
  const upload = await deps.repository.find(by.tenantId, id);
  if (upload === null) throw new UploadError('UPLOAD_NOT_FOUND', `There is no upload ${id}.`);
  const { storedSha256: sha256, filename, contentType, sizeBytes } = upload;
  if (upload.status !== 'STORED' || sha256 === null) {
    throw new UploadError('UPLOAD_NOT_STORED', `Upload ${id} has not received its file yet.`);
  }
  return { filename, contentType, sizeBytes, sha256, open: (range) => deps.store.open(id, sha256, range) };
}

/**
 * The stored file for a new job, kept until `until`.
 *
 * @throws NotFoundError where absent, another tenant's or expired; ValidationError where not sent yet.
 */
export async function claimUpload(
  deps: UploadDeps,
  by: Principal,
  id: string,
  until: Date,
): Promise<UploadRecord> {
  const path = ['input', 'audio', 'uploadId'];
  const now = deps.environment.now();
  const upload = await deps.repository.find(by.tenantId, id);
  if (upload === null || upload.expiresAt <= now) throw new NotFoundError('upload', id, path);
  if (upload.status !== 'STORED') {
    const message = `Upload ${id} has not received its file yet; PUT the file to the upload's URL first.`;
    throw new ValidationError([{ path, rule: 'stored', message }]);
  }
  const isKept = await deps.repository.keepUntil(by.tenantId, id, until, now);
  if (!isKept) throw new NotFoundError('upload', id, path);
  return upload;
}

/** Deletes expired uploads: first the row, so that no job can claim a file that is about to go. */
export async function sweepExpiredUploads({ repository, store, environment }: UploadDeps): Promise<number> {
  const now = environment.now();
  const staleBefore = new Date(now.getTime() - STALE_RECEIVER_MS);
  const ids = await repository.deleteExpired(now, staleBefore, SWEEP_BATCH);
  for (const id of ids) await store.remove(id);
  return ids.length;
}
