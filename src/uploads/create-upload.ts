import { z } from 'zod';
import { AudioSourceError, ValidationError } from '../domain/errors.ts';
import { toId } from '../domain/ids.ts';
import type { Principal } from '../domain/principal.ts';
import { IdempotencyKey, optional, validate } from '../domain/validate.ts';
import { expiryOf, type UploadDeps } from './upload-deps.ts';
import type { UploadRecord } from './upload-store.ts';

const CONTENT_TYPE = /^(audio\/[\w.+-]+|video\/[\w.+-]+|application\/octet-stream|application\/ogg)$/;

export const CreateUploadInput = z.object({
  filename: z
    .string()
    .transform(baseName)
    .pipe(
      z
        .string()
        .max(255)
        .refine((name) => !['', '.', '..'].includes(name), {
          error: 'must name a file',
          params: { rule: 'min' },
        }),
    ),
  contentType: z
    .string()
    .transform((type) => type.split(';')[0]?.trim().toLowerCase() ?? '')
    .pipe(
      z.string().regex(CONTENT_TYPE, 'must be audio/*, video/*, application/ogg or application/octet-stream'),
    ),
  sizeBytes: z.int().min(1),
  sha256: optional(
    z
      .string()
      .toLowerCase()
      .regex(/^[0-9a-f]{64}$/, 'must have 64 hexadecimal digits'),
  ),
  idempotencyKey: optional(IdempotencyKey),
});
export type CreateUploadInput = z.input<typeof CreateUploadInput>;

/** The last part of a path of any operating system, without control characters. */
function baseName(filename: string): string {
  const name = filename.split(/[/\\]/).at(-1) ?? '';
  return [...name]
    .filter((char) => char >= ' ' && char !== '\u007f')
    .join('')
    .trim();
}

/**
 * Prepares a place for one file.
 *
 * @throws ValidationError with every broken rule; AudioSourceError AUDIO_TOO_LARGE.
 */
export async function createUpload(
  deps: UploadDeps,
  by: Principal,
  input: CreateUploadInput,
): Promise<UploadView> {
  const checked = validate(CreateUploadInput, input, ['input']);
  const maxBytes = deps.config.MAX_AUDIO_BYTES;
  if (checked.sizeBytes > maxBytes) {
    const message = `The file has ${checked.sizeBytes} bytes; the maximum is ${maxBytes}.`;
    throw new AudioSourceError('AUDIO_TOO_LARGE', message, ['input', 'sizeBytes'], { maxBytes });
  }
  const upload: UploadRecord = {
    ...checked,
    id: toId('Upload', deps.environment.uuid()),
    tenantId: by.tenantId,
    status: 'PENDING',
    storedSha256: null,
    createdAt: deps.environment.now(),
    expiresAt: expiryOf(deps),
    receivingSince: null,
    storedAt: null,
  };
  const stored = await deps.repository.insert(upload);
  checkReplay(stored, upload);
  return viewOf(deps, stored);
}

/** The stored upload is an earlier one when its idempotency key was used before. */
function checkReplay(stored: UploadRecord, wanted: UploadRecord): void {
  const refuse = (message: string) =>
    new ValidationError([{ path: ['input', 'idempotencyKey'], rule: 'unique', message }]);
  const isSame = (['filename', 'contentType', 'sizeBytes', 'sha256'] as const).every(
    (key) => stored[key] === wanted[key],
  );
  if (!isSame) throw refuse('`idempotencyKey` was used for an upload with other values.');
  if (stored.expiresAt <= wanted.createdAt) {
    throw refuse('`idempotencyKey` was used for an upload that has expired; use a new key.');
  }
}

/** In the order of the ids; null where there is none of this tenant, or it has expired. */
export async function findUploads(
  deps: UploadDeps,
  by: Principal,
  ids: readonly string[],
): Promise<readonly (UploadView | null)[]> {
  const uploads = await deps.repository.findAll(by.tenantId, ids);
  const now = deps.environment.now();
  return ids.map((id) => {
    const upload = uploads.find((candidate) => candidate.id === id);
    return upload === undefined || upload.expiresAt <= now ? null : viewOf(deps, upload);
  });
}

function viewOf({ links, config }: UploadDeps, upload: UploadRecord): UploadView {
  return {
    id: upload.id,
    method: 'PUT',
    url: links.uploadUrl(upload.tenantId, upload.id, upload.expiresAt),
    headers: [{ name: 'Content-Type', value: upload.contentType }],
    maxBytes: config.MAX_AUDIO_BYTES,
    expiresAt: upload.expiresAt,
  };
}

export interface UploadView {
  readonly id: string;
  readonly method: 'PUT';
  /** Signed; valid until `expiresAt`. */
  readonly url: string;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly maxBytes: number;
  readonly expiresAt: Date;
}
