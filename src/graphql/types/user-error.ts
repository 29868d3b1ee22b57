import {
  AudioSourceError,
  ConfirmationError,
  IdempotencyError,
  InvalidStateError,
  NotFoundError,
  QuotaExceededError,
  type UserError,
  type UserErrorCode,
  ValidationError,
  type ValidationIssue,
} from '../../domain/errors.ts';
import { builder } from '../builder.ts';
import { JobStatusEnum } from './job-enums.ts';
import { TierEnum } from './model.ts';

const UserErrorCodeEnum = builder.enumType('UserErrorCode', {
  description: 'Stable code of an expected error. New codes may be added; handle unknown ones.',
  values: {
    INVALID_INPUT: { description: 'The input is invalid; see `issues`.' },
    NOT_FOUND: { description: 'There is no such object.' },
    FORBIDDEN_FOR_TIER: { description: 'Your tier does not allow this.' },
    QUOTA_EXCEEDED: { description: 'A quota is exhausted.' },
    CONCURRENCY_LIMIT: { description: 'Too many concurrent requests or jobs.' },
    QUEUE_FULL: { description: 'Too many jobs are waiting.' },
    IDEMPOTENCY_MISMATCH: { description: 'The idempotency key was used with a different input.' },
    IDEMPOTENCY_IN_PROGRESS: { description: 'The first call with this idempotency key is still running.' },
    INVALID_STATE: { description: 'The status of the job does not allow this.' },
    AUDIO_UNREACHABLE: { description: 'The recording cannot be downloaded.' },
    AUDIO_UNSUPPORTED: { description: 'The audio is invalid or in an unsupported format.' },
    AUDIO_TOO_LARGE: { description: 'The recording is too large.' },
    AUDIO_TOO_LONG: { description: 'The recording is too long.' },
    URL_BLOCKED: { description: 'The URL is not allowed, such as one of a private network.' },
    EXPORT_NOT_READY: { description: 'The transcript is still empty.' },
    CONFIRMATION_REQUIRED: { description: 'The number of matching jobs differs from `expectedCount`.' },
    UNSUPPORTED: { description: 'A requested engine or model does not support this option.' },
  } as const satisfies Record<UserErrorCode, { readonly description: string }>,
});

export const UserErrorRef = builder.interfaceRef<UserError>('UserError').implement({
  description: 'Expected error that the caller can correct.',
  fields: (t) => ({
    code: t.expose('code', { type: UserErrorCodeEnum, description: 'Stable, machine-readable code.' }),
    message: t.exposeString('message', { description: 'Message in English; may change.' }),
    path: t.stringList({
      nullable: true,
      description: 'Path to the argument, such as ["input", "audio", "url"].',
      resolve: (error) => (error.path === null ? null : [...error.path]),
    }),
  }),
});

const ValidationIssueRef = builder.objectRef<ValidationIssue>('ValidationIssue').implement({
  description: 'Violation of one rule.',
  fields: (t) => ({
    path: t.stringList({ description: 'Path to the value.', resolve: (issue) => [...issue.path] }),
    rule: t.exposeString('rule', { description: 'Violated rule, such as `max` or `format`.' }),
    message: t.exposeString('message', { description: 'Message that names the field and the limit.' }),
  }),
});

builder.objectType(ValidationError, {
  name: 'ValidationError',
  description: 'The input is invalid.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    issues: t.field({
      type: [ValidationIssueRef],
      description: 'All violations.',
      resolve: (error) => [...error.issues],
    }),
  }),
});

builder.objectType(NotFoundError, {
  name: 'NotFoundError',
  description: 'There is no such object.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    id: t.exposeID('id', { nullable: true, description: 'Requested id.' }),
  }),
});

builder.objectType(InvalidStateError, {
  name: 'InvalidStateError',
  description: 'The status of the job does not allow this.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    status: t.expose('status', { type: JobStatusEnum, description: 'Status of the job.' }),
    allowed: t.field({
      type: [JobStatusEnum],
      description: 'Statuses that allow it.',
      resolve: (error) => [...error.allowed],
    }),
  }),
});

builder.objectType(QuotaExceededError, {
  name: 'QuotaExceededError',
  description: 'A quota or a limit is exhausted.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    limit: t.expose('limit', { type: 'SafeInt', description: 'Limit.' }),
    used: t.expose('used', { type: 'SafeInt', description: 'Used amount.' }),
    resetAt: t.expose('resetAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Time at which the quota is reset; null when it is not reset.',
    }),
    upgradeTier: t.field({
      type: TierEnum,
      nullable: true,
      description: 'Tier that would allow it; null when there is none.',
      resolve: () => null,
    }),
  }),
});

builder.objectType(IdempotencyError, {
  name: 'IdempotencyError',
  description: 'The idempotency key was used with a different input, or its first call is still running.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    jobId: t.exposeID('jobId', { nullable: true, description: 'Job of the first call.' }),
    firstUsedAt: t.expose('firstUsedAt', { type: 'DateTime', description: 'Time of the first call.' }),
  }),
});

builder.objectType(AudioSourceError, {
  name: 'AudioSourceError',
  description: 'The recording cannot be accepted.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    maxBytes: t.expose('maxBytes', {
      type: 'SafeInt',
      nullable: true,
      description: 'Maximum size in bytes, when it is exceeded.',
    }),
    maxDurationSeconds: t.exposeInt('maxDurationSeconds', {
      nullable: true,
      description: 'Maximum duration in seconds, when it is exceeded.',
    }),
    httpStatus: t.exposeInt('httpStatus', {
      nullable: true,
      description: 'HTTP status of the source, when it is the cause.',
    }),
  }),
});

builder.objectType(ConfirmationError, {
  name: 'ConfirmationError',
  description: 'The number of matching jobs differs from `expectedCount`; nothing was changed.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    matched: t.exposeInt('matched', { description: 'Number of matching jobs.' }),
  }),
});
