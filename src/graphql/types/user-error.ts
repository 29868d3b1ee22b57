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
  description: 'Stable code of an expected failure. New ones may be added: have a default branch.',
  values: {
    INVALID_INPUT: { description: 'A value breaks a rule; see `issues`.' },
    NOT_FOUND: { description: 'There is no such object, or it is not yours.' },
    FORBIDDEN_FOR_TIER: { description: 'Your tier does not allow this.' },
    QUOTA_EXCEEDED: { description: 'A quota is used up.' },
    CONCURRENCY_LIMIT: { description: 'Too many at once.' },
    QUEUE_FULL: { description: 'Too many jobs wait.' },
    IDEMPOTENCY_MISMATCH: { description: 'The idempotency key was used with other input.' },
    IDEMPOTENCY_IN_PROGRESS: { description: 'The first call with this key is still running.' },
    INVALID_STATE: { description: 'The job is in a status that does not allow this.' },
    AUDIO_UNREACHABLE: { description: 'The recording cannot be fetched.' },
    AUDIO_UNSUPPORTED: { description: 'The recording is of a kind that is not supported.' },
    AUDIO_TOO_LARGE: { description: 'The recording has too many bytes.' },
    AUDIO_TOO_LONG: { description: 'The recording is too long.' },
    URL_BLOCKED: { description: 'The address is one this service does not fetch from.' },
    EXPORT_NOT_READY: { description: 'There is nothing to export yet.' },
    CONFIRMATION_REQUIRED: { description: 'The number of matches differs from `expectedCount`.' },
    UNSUPPORTED: { description: 'No engine asked for supports this option.' },
  } as const satisfies Record<UserErrorCode, { readonly description: string }>,
});

export const UserErrorRef = builder.interfaceRef<UserError>('UserError').implement({
  description: 'An expected failure the caller can act on.',
  fields: (t) => ({
    code: t.expose('code', { type: UserErrorCodeEnum, description: 'Stable, machine readable.' }),
    message: t.exposeString('message', { description: 'Human readable English; may change.' }),
    path: t.stringList({
      nullable: true,
      description: 'Path into the mutation\'s arguments, such as ["input", "audio", "url"].',
      resolve: (error) => (error.path === null ? null : [...error.path]),
    }),
  }),
});

const ValidationIssueRef = builder.objectRef<ValidationIssue>('ValidationIssue').implement({
  description: 'One broken rule.',
  fields: (t) => ({
    path: t.stringList({ description: 'Path to the value.', resolve: (issue) => [...issue.path] }),
    rule: t.exposeString('rule', { description: 'The rule that was broken, such as `max` or `format`.' }),
    message: t.exposeString('message', { description: 'Names the field and the limit.' }),
  }),
});

builder.objectType(ValidationError, {
  name: 'ValidationError',
  description: 'Input breaks one rule or several.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    issues: t.field({
      type: [ValidationIssueRef],
      description: 'Every rule that was broken.',
      resolve: (error) => [...error.issues],
    }),
  }),
});

builder.objectType(NotFoundError, {
  name: 'NotFoundError',
  description: 'There is no such object, or it is not yours.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    id: t.exposeID('id', { nullable: true, description: 'The id that was asked for.' }),
  }),
});

builder.objectType(InvalidStateError, {
  name: 'InvalidStateError',
  description: 'The job is in a status that does not allow this.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    status: t.expose('status', { type: JobStatusEnum, description: 'The status it is in.' }),
    allowed: t.field({
      type: [JobStatusEnum],
      description: 'The statuses that allow it.',
      resolve: (error) => [...error.allowed],
    }),
  }),
});

builder.objectType(QuotaExceededError, {
  name: 'QuotaExceededError',
  description: 'A limit on amounts is reached.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    limit: t.expose('limit', { type: 'SafeInt', description: 'The limit.' }),
    used: t.expose('used', { type: 'SafeInt', description: 'How much of it is used.' }),
    resetAt: t.expose('resetAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it frees up by itself, if it does.',
    }),
    upgradeTier: t.field({
      type: TierEnum,
      nullable: true,
      description: 'The tier that would allow it; null when none would.',
      resolve: () => null,
    }),
  }),
});

builder.objectType(IdempotencyError, {
  name: 'IdempotencyError',
  description: 'The same key came with different input, or its first call is still running.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    jobId: t.exposeID('jobId', { nullable: true, description: 'The job the first call made.' }),
    firstUsedAt: t.expose('firstUsedAt', { type: 'DateTime', description: 'When the key was first used.' }),
  }),
});

builder.objectType(AudioSourceError, {
  name: 'AudioSourceError',
  description: 'The recording cannot be taken.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    maxBytes: t.expose('maxBytes', {
      type: 'SafeInt',
      nullable: true,
      description: 'The size limit, when that is the cause.',
    }),
    maxDurationSeconds: t.exposeInt('maxDurationSeconds', {
      nullable: true,
      description: 'The length limit in seconds, when that is the cause.',
    }),
    httpStatus: t.exposeInt('httpStatus', {
      nullable: true,
      description: 'What the source answered, when that is the cause.',
    }),
  }),
});

builder.objectType(ConfirmationError, {
  name: 'ConfirmationError',
  description: 'The filter matched another number of jobs than expected; nothing was changed.',
  interfaces: [UserErrorRef],
  fields: (t) => ({
    matched: t.exposeInt('matched', { description: 'How many jobs match now.' }),
  }),
});
