/** One promised or stored file. PENDING until sent, STORED once complete and checked. */
export interface UploadRecord {
  readonly id: string;
  readonly tenantId: string;
  readonly filename: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  /** What the caller promised, lower-case hexadecimal. */
  readonly sha256: string | null;
  readonly status: 'PENDING' | 'RECEIVING' | 'STORED';
  /** What was received. */
  readonly storedSha256: string | null;
  readonly idempotencyKey: string | null;
  readonly createdAt: Date;
  /** Swept after this time, file and row. */
  readonly expiresAt: Date;
  readonly receivingSince: Date | null;
  readonly storedAt: Date | null;
}

/** Obligations of the table of uploads. */
export interface UploadRepository {
  /** Gives back the earlier one instead when the tenant has used this idempotency key. */
  insert(upload: UploadRecord): Promise<UploadRecord>;
  find(id: string): Promise<UploadRecord | null>;
  /** Those of the ids that there are, in any order. */
  findAll(ids: readonly string[]): Promise<readonly UploadRecord[]>;
  /** To RECEIVING from PENDING, or from a RECEIVING not touched since `staleBefore`; false where neither. */
  beginReceiving(id: string, now: Date, staleBefore: Date): Promise<boolean>;
  touchReceiving(id: string, now: Date): Promise<void>;
  /** To STORED from RECEIVING. */
  finish(
    id: string,
    stored: { readonly sha256: string; readonly at: Date; readonly expiresAt: Date },
  ): Promise<void>;
  /** Back to PENDING from RECEIVING, so that it can be sent again. */
  abandon(id: string): Promise<void>;
  /** Prolongs a STORED upload of the tenant that has not expired; false where there is none. */
  keepUntil(tenantId: string, id: string, until: Date, now: Date): Promise<boolean>;
  /** Deletes rows past `now` that nobody is sending and no job needs, and gives their ids back. */
  deleteExpired(now: Date, staleBefore: Date, limit: number): Promise<readonly string[]>;
}

/** Obligations of the place where files are. */
export interface UploadStore {
  /**
   * Writes a whole file, checked against `expected`, and makes it durable. Leaves nothing behind when it
   * throws.
   * @throws UploadError
   */
  receive(
    id: string,
    body: AsyncIterable<Uint8Array>,
    expected: ExpectedFile,
  ): Promise<{ readonly sha256: string }>;
  /** Also what an interrupted `receive` left behind. No error when there is nothing. */
  remove(id: string): Promise<void>;
}

export interface ExpectedFile {
  readonly sizeBytes: number;
  readonly sha256: string | null;
  readonly signal: AbortSignal;
}

export interface UploadDeps {
  readonly repository: UploadRepository;
  readonly store: UploadStore;
  readonly links: { uploadUrl(uploadId: string, expiresAt: Date): string };
  readonly maxBytes: number;
  readonly ttlMs: number;
  now(): Date;
  newId(): string;
}

export const UPLOAD_ERROR_CODES = [
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

/** Sending a file failed; nothing of it was kept. */
export class UploadError extends Error {
  override readonly name = 'UploadError';
  readonly code: UploadErrorCode;

  constructor(code: UploadErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
