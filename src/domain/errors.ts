import type { JobStatus } from './vocabulary.ts';

/** Codes of expected errors, the schema's `UserErrorCode`. A code, once released, is never renamed. */
const USER_ERROR_CODES = [
  'INVALID_INPUT',
  'NOT_FOUND',
  'FORBIDDEN_FOR_TIER',
  'QUOTA_EXCEEDED',
  'CONCURRENCY_LIMIT',
  'QUEUE_FULL',
  'IDEMPOTENCY_MISMATCH',
  'IDEMPOTENCY_IN_PROGRESS',
  'INVALID_STATE',
  'AUDIO_UNREACHABLE',
  'AUDIO_UNSUPPORTED',
  'AUDIO_TOO_LARGE',
  'AUDIO_TOO_LONG',
  'URL_BLOCKED',
  'EXPORT_NOT_READY',
  'CONFIRMATION_REQUIRED',
  'UNSUPPORTED',
] as const;
export type UserErrorCode = (typeof USER_ERROR_CODES)[number];

/** An expected failure that the caller can act on; GraphQL returns it as data. */
export abstract class UserError extends Error {
  readonly code: UserErrorCode;
  /** Path into the mutation's arguments, such as `['input', 'audio', 'url']`. */
  readonly path: readonly string[] | null;

  constructor(code: UserErrorCode, message: string, path: readonly string[] | null = null) {
    super(message);
    this.code = code;
    this.path = path;
  }
}

export interface ValidationIssue {
  readonly path: readonly string[];
  /** The rule that was broken, such as `max` or `format`. */
  readonly rule: string;
  /** Names the field and the limit. */
  readonly message: string;
}

export class ValidationError extends UserError {
  override readonly name = 'ValidationError';
  readonly issues: readonly ValidationIssue[];

  /** @param code `INVALID_INPUT`, or `UNSUPPORTED` where an engine lacks an option. */
  constructor(issues: readonly ValidationIssue[], code: UserErrorCode = 'INVALID_INPUT') {
    const first = issues[0];
    super(code, issues.map((issue) => issue.message).join(' '), first?.path ?? null);
    this.issues = issues;
  }
}

export class NotFoundError extends UserError {
  override readonly name = 'NotFoundError';
  readonly id: string | null;

  constructor(what: string, id: string | null, path: readonly string[] | null = null) {
    super('NOT_FOUND', `There is no ${what}${id === null ? '' : ` ${id}`}.`, path);
    this.id = id;
  }
}

/** The status of the job does not allow the operation. */
export class InvalidStateError extends UserError {
  override readonly name = 'InvalidStateError';
  readonly status: JobStatus;
  readonly allowed: readonly JobStatus[];

  constructor(message: string, status: JobStatus, allowed: readonly JobStatus[]) {
    super('INVALID_STATE', message, ['input', 'id']);
    this.status = status;
    this.allowed = allowed;
  }
}

export class QuotaExceededError extends UserError {
  override readonly name = 'QuotaExceededError';
  readonly limit: number;
  readonly used: number;
  readonly resetAt: Date | null;

  constructor(
    code: Extract<UserErrorCode, 'QUOTA_EXCEEDED' | 'CONCURRENCY_LIMIT' | 'QUEUE_FULL'>,
    message: string,
    quota: { readonly limit: number; readonly used: number; readonly resetAt?: Date | null },
  ) {
    super(code, message);
    this.limit = quota.limit;
    this.used = quota.used;
    this.resetAt = quota.resetAt ?? null;
  }
}

/** The key was used with another input, or its first call is still running. */
export class IdempotencyError extends UserError {
  override readonly name = 'IdempotencyError';
  readonly jobId: string | null;
  readonly firstUsedAt: Date;

  constructor(
    code: Extract<UserErrorCode, 'IDEMPOTENCY_MISMATCH' | 'IDEMPOTENCY_IN_PROGRESS'>,
    message: string,
    first: { readonly jobId: string | null; readonly firstUsedAt: Date },
  ) {
    super(code, message, ['input', 'idempotencyKey']);
    this.jobId = first.jobId;
    this.firstUsedAt = first.firstUsedAt;
  }
}

export class AudioSourceError extends UserError {
  override readonly name = 'AudioSourceError';
  readonly maxBytes: number | null;
  readonly maxDurationSeconds: number | null;
  readonly httpStatus: number | null;

  constructor(
    code: UserErrorCode,
    message: string,
    path: readonly string[],
    limits: {
      readonly maxBytes?: number;
      readonly maxDurationSeconds?: number;
      readonly httpStatus?: number;
    } = {},
  ) {
    super(code, message, path);
    this.maxBytes = limits.maxBytes ?? null;
    this.maxDurationSeconds = limits.maxDurationSeconds ?? null;
    this.httpStatus = limits.httpStatus ?? null;
  }
}

/** The filter matches another number of jobs than the caller expects; nothing was changed. */
export class ConfirmationError extends UserError {
  override readonly name = 'ConfirmationError';
  readonly matched: number;

  constructor(message: string, matched: number) {
    super('CONFIRMATION_REQUIRED', message, ['input', 'expectedCount']);
    this.matched = matched;
  }
}

/** The database or the broker is unavailable; the call may be retried. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError';
  readonly retryAfterSeconds: number;

  constructor(message: string, options: ErrorOptions & { readonly retryAfterSeconds?: number } = {}) {
    super(message, options);
    this.retryAfterSeconds = options.retryAfterSeconds ?? 5;
  }
}
