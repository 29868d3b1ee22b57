import type { Readable } from 'node:stream';

/** One file that was announced or stored. PENDING until it is sent, STORED once complete and verified. */
export interface UploadRecord {
  readonly id: string;
  readonly tenantId: string;
  readonly filename: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  /** Announced by the caller, in lower-case hexadecimal. */
  readonly sha256: string | null;
  readonly status: 'PENDING' | 'RECEIVING' | 'STORED';
  /** Of what was received. */
  readonly storedSha256: string | null;
  readonly idempotencyKey: string | null;
  readonly createdAt: Date;
  /** File and row are deleted after this time. */
  readonly expiresAt: Date;
  readonly receivingSince: Date | null;
  readonly storedAt: Date | null;
}

/** Where the files of uploads are kept. */
export interface UploadStore {
  /**
   * Writes a whole file, verifies it against `expected`, and makes it durable. Leaves nothing behind when it throws.
   *
   * @throws UploadError
   */
  receive(
    id: string,
    body: AsyncIterable<Uint8Array>,
    expected: ExpectedFile,
  ): Promise<{ readonly sha256: string }>;
  /**
   * Opens a stored file for reading; the caller consumes or destroys the stream. Resolves once the file is known to be
   * there, so that a missing one can still be answered with a clear error.
   *
   * @throws UploadError UPLOAD_NOT_FOUND
   */
  open(id: string, sha256: string, range: ByteRange): Promise<Readable>;
  /** Removes the file and what an interrupted `receive` left behind. No error when there is nothing. */
  remove(id: string): Promise<void>;
}

export interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

export interface ExpectedFile {
  readonly sizeBytes: number;
  readonly sha256: string | null;
  readonly signal: AbortSignal;
}

const UPLOAD_ERROR_CODES = [
  'UPLOAD_NOT_FOUND',
  'UPLOAD_NOT_STORED',
  'UPLOAD_ALREADY_USED',
  'UPLOAD_IN_PROGRESS',
  'UPLOAD_TOO_LARGE',
  'UPLOAD_SIZE_MISMATCH',
  'UPLOAD_HASH_MISMATCH',
  'UPLOAD_INTERRUPTED',
  'STORAGE_FULL',
] as const;
export type UploadErrorCode = (typeof UPLOAD_ERROR_CODES)[number];

/** A file could not be received or read. After a failed receive, nothing of it is kept. */
export class UploadError extends Error {
  override readonly name = 'UploadError';
  readonly code: UploadErrorCode;

  constructor(code: UploadErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** One sentence for every way a size can be wrong. */
export function sizeMismatch(expectedBytes: number, found: string): UploadError {
  const message = `createUpload announced ${expectedBytes} bytes, but ${found}. Nothing was stored.`;
  return new UploadError('UPLOAD_SIZE_MISMATCH', message);
}
