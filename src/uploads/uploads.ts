import { AudioSourceError, NotFoundError, ValidationError, type ValidationIssue } from '../domain/errors.ts';
import type { Principal } from '../domain/principal.ts';
import { type UploadDeps, UploadError, type UploadRecord } from './upload-store.ts';

/** A receiver that has not touched its row for this long is gone. */
const STALE_RECEIVER_MS = 120_000;
const TOUCH_INTERVAL_MS = 30_000;
const SWEEP_BATCH = 100;
const MAX_FILENAME_CHARS = 255;
const CONTENT_TYPE = /^(audio\/[\w.+-]+|video\/[\w.+-]+|application\/octet-stream|application\/ogg)$/;

/**
 * Promises a place for one file.
 *
 * @throws ValidationError with every broken rule; AudioSourceError AUDIO_TOO_LARGE.
 */
export async function createUpload(
  deps: UploadDeps,
  by: Principal,
  input: CreateUploadInput,
): Promise<UploadView> {
  const checked = checkInput(input);
  if (checked.sizeBytes > deps.maxBytes) {
    const message = `The file has ${checked.sizeBytes} bytes; at most ${deps.maxBytes} are taken.`;
    throw new AudioSourceError('AUDIO_TOO_LARGE', message, ['input', 'sizeBytes'], {
      maxBytes: deps.maxBytes,
    });
  }
  const now = deps.now();
  const upload: UploadRecord = {
    ...checked,
    id: deps.newId(),
    tenantId: by.tenantId,
    status: 'PENDING',
    storedSha256: null,
    createdAt: now,
    expiresAt: new Date(now.getTime() + deps.ttlMs),
    receivingSince: null,
    storedAt: null,
  };
  const stored = await deps.repository.insert(upload);
  const isSame = (['filename', 'contentType', 'sizeBytes', 'sha256'] as const).every(
    (key) => stored[key] === upload[key],
  );
  if (!isSame) {
    throw new ValidationError([
      issue('idempotencyKey', 'unique', '`idempotencyKey` was used for an upload with other values.'),
    ]);
  }
  if (stored.expiresAt <= now) {
    throw new ValidationError([
      issue(
        'idempotencyKey',
        'unique',
        '`idempotencyKey` was used for an upload that has expired since; use another.',
      ),
    ]);
  }
  return viewOf(deps, stored);
}

/** In the order asked; null where absent, another tenant's, or expired. */
export async function findUploads(
  deps: UploadDeps,
  by: Principal,
  ids: readonly string[],
): Promise<readonly (UploadView | null)[]> {
  const found = new Map((await deps.repository.findAll(ids)).map((upload) => [upload.id, upload]));
  return ids.map((id) => {
    const upload = found.get(id);
    if (upload?.tenantId !== by.tenantId || upload.expiresAt <= deps.now()) return null;
    return viewOf(deps, upload);
  });
}

/**
 * The stored file that a job is about to use, kept until `until` from now on.
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
  const upload = await deps.repository.find(id);
  if (upload === null || upload.tenantId !== by.tenantId || upload.expiresAt <= deps.now()) {
    throw new NotFoundError('upload', id, path);
  }
  if (upload.status !== 'STORED') {
    const message = `Upload ${id} has not received its file yet: send it with PUT to the upload's URL first.`;
    throw new ValidationError([{ path, rule: 'stored', message }]);
  }
  const isKept = await deps.repository.keepUntil(by.tenantId, id, until, deps.now());
  if (!isKept) throw new NotFoundError('upload', id, path);
  return upload;
}

/**
 * Takes the file that an upload promised, once. After a failure it can be sent again until the URL expires.
 *
 * @param contentLength What the sender announced, to refuse early; null when it did not.
 * @throws UploadError
 */
export async function receiveUpload(
  deps: UploadDeps,
  id: string,
  body: {
    readonly contentLength: number | null;
    readonly signal: AbortSignal;
    open(): AsyncIterable<Uint8Array>;
  },
): Promise<{ readonly id: string; readonly sizeBytes: number; readonly sha256: string }> {
  const upload = await deps.repository.find(id);
  if (upload === null) throw new UploadError('UPLOAD_NOT_FOUND', `There is no upload ${id}.`);
  refuseWrongLength(upload, body.contentLength, deps.maxBytes);
  await begin(deps, upload);
  const touching = setInterval(() => {
    // One that fails is made up for by the next: only a row that nobody touches for long is another's to take.
    deps.repository.touchReceiving(id, deps.now()).catch(() => undefined);
  }, TOUCH_INTERVAL_MS);
  try {
    const expected = { sizeBytes: upload.sizeBytes, sha256: upload.sha256, signal: body.signal };
    const { sha256 } = await deps.store.receive(id, body.open(), expected);
    const at = deps.now();
    // A job must be submitted within the same time again.
    await finish(deps, id, { sha256, at, expiresAt: new Date(at.getTime() + deps.ttlMs) });
    return { id, sizeBytes: upload.sizeBytes, sha256 };
  } catch (error) {
    // It is another's now, whose turn this must not end.
    if (!(error instanceof UploadError && error.code === 'UPLOAD_IN_PROGRESS')) {
      await deps.repository.abandon(id);
    }
    throw error;
  } finally {
    clearInterval(touching);
  }
}

/** Whose file it is was decided by the row, which may have heard us though its answer was lost. */
async function finish(
  deps: UploadDeps,
  id: string,
  stored: Parameters<UploadDeps['repository']['finish']>[1],
): Promise<void> {
  try {
    await deps.repository.finish(id, stored);
  } catch (error) {
    const current = await deps.repository.find(id);
    if (current?.status !== 'STORED') throw error;
    if (current.storedSha256 !== stored.sha256) throw alreadyUsed(id);
  }
}

export type StoredUpload = UploadRecord & { readonly storedSha256: string };

/** @throws UploadError UPLOAD_NOT_FOUND, UPLOAD_NOT_STORED */
export async function findStoredUpload(deps: UploadDeps, id: string): Promise<StoredUpload> {
  const upload = await deps.repository.find(id);
  if (upload === null) throw new UploadError('UPLOAD_NOT_FOUND', `There is no upload ${id}.`);
  const { storedSha256 } = upload;
  if (upload.status !== 'STORED' || storedSha256 === null) {
    throw new UploadError('UPLOAD_NOT_STORED', `Upload ${id} has not received its file yet.`);
  }
  return { ...upload, storedSha256 };
}

/** Deletes what expired, row first, so that no job can claim a file that is about to go. */
export async function sweepExpiredUploads(deps: UploadDeps): Promise<number> {
  const now = deps.now();
  const staleBefore = new Date(now.getTime() - STALE_RECEIVER_MS);
  const ids = await deps.repository.deleteExpired(now, staleBefore, SWEEP_BATCH);
  for (const id of ids) await deps.store.remove(id);
  return ids.length;
}

async function begin(deps: UploadDeps, upload: UploadRecord): Promise<void> {
  const now = deps.now();
  const hasBegun = await deps.repository.beginReceiving(
    upload.id,
    now,
    new Date(now.getTime() - STALE_RECEIVER_MS),
  );
  if (hasBegun) return;
  const current = await deps.repository.find(upload.id);
  if (current?.status === 'STORED') {
    throw alreadyUsed(upload.id);
  }
  throw new UploadError('UPLOAD_IN_PROGRESS', `Upload ${upload.id} is being sent by another request.`);
}

function alreadyUsed(id: string): UploadError {
  return new UploadError(
    'UPLOAD_ALREADY_USED',
    `Upload ${id} has its file already; create another upload for another file.`,
  );
}

function refuseWrongLength(upload: UploadRecord, contentLength: number | null, maxBytes: number): void {
  if (contentLength === null || contentLength === upload.sizeBytes) return;
  if (contentLength > maxBytes) {
    throw new UploadError(
      'UPLOAD_TOO_LARGE',
      `The file has ${contentLength} bytes; at most ${maxBytes} are taken.`,
    );
  }
  throw new UploadError('UPLOAD_SIZE_MISMATCH', sizeMismatch(upload.sizeBytes, `${contentLength} are sent`));
}

/** One sentence for every way a size can be wrong. */
export function sizeMismatch(expectedBytes: number, found: string): string {
  return `createUpload was told ${expectedBytes} bytes, but ${found}. Nothing was kept.`;
}

function viewOf(deps: UploadDeps, upload: UploadRecord): UploadView {
  return {
    id: upload.id,
    method: 'PUT',
    url: deps.links.uploadUrl(upload.id, upload.expiresAt),
    headers: [{ name: 'Content-Type', value: upload.contentType }],
    maxBytes: deps.maxBytes,
    expiresAt: upload.expiresAt,
  };
}

function issue(field: string, rule: string, message: string): ValidationIssue {
  return { path: ['input', field], rule, message };
}

/** The last part of a path, whatever system it came from, without control characters. */
function baseName(filename: string): string {
  const name = filename.split(/[/\\]/).at(-1) ?? '';
  return [...name]
    .filter((char) => char >= ' ' && char !== '\u007f')
    .join('')
    .trim();
}

function checkInput(
  input: CreateUploadInput,
): Pick<UploadRecord, 'filename' | 'contentType' | 'sizeBytes' | 'sha256' | 'idempotencyKey'> {
  const filename = baseName(input.filename);
  const contentType = input.contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  const sha256 = input.sha256?.toLowerCase() ?? null;
  const idempotencyKey = input.idempotencyKey ?? null;
  const issues: ValidationIssue[] = [];
  if (filename === '' || ['.', '..'].includes(filename)) {
    issues.push(issue('filename', 'min', '`filename` must name a file.'));
  }
  if (filename.length > MAX_FILENAME_CHARS) {
    issues.push(issue('filename', 'max', `\`filename\` must have at most ${MAX_FILENAME_CHARS} characters.`));
  }
  if (!CONTENT_TYPE.test(contentType)) {
    const message = '`contentType` must be audio/*, video/*, application/ogg or application/octet-stream.';
    issues.push(issue('contentType', 'format', message));
  }
  if (input.sizeBytes < 1) issues.push(issue('sizeBytes', 'min', '`sizeBytes` must be at least 1.'));
  if (sha256 !== null && !/^[0-9a-f]{64}$/.test(sha256)) {
    issues.push(issue('sha256', 'format', '`sha256` must be 64 hexadecimal digits.'));
  }
  if (idempotencyKey !== null && (idempotencyKey.length < 8 || idempotencyKey.length > 128)) {
    issues.push(issue('idempotencyKey', 'length', '`idempotencyKey` must have 8 to 128 characters.'));
  }
  if (issues.length > 0) throw new ValidationError(issues);
  return { filename, contentType, sizeBytes: input.sizeBytes, sha256, idempotencyKey };
}

export interface CreateUploadInput {
  readonly filename: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  readonly sha256?: string | null | undefined;
  readonly idempotencyKey?: string | null | undefined;
}

export interface UploadView {
  readonly id: string;
  readonly method: 'PUT';
  /** Signed; good until `expiresAt`. */
  readonly url: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly maxBytes: number;
  readonly expiresAt: Date;
}
