import type { CancelOutcome } from '../../app/cancel-job.ts';
import {
  AudioSourceError,
  IdempotencyError,
  InvalidStateError,
  NotFoundError,
  QuotaExceededError,
  ValidationError,
} from '../../domain/errors.ts';
import type { JobView } from '../../domain/job-view.ts';
import { builder, QueryRef } from '../builder.ts';
import { JobRef } from './job.ts';
import { CancelOutcomeEnum, JobPriorityEnum } from './job-enums.ts';
import { SubmitJobInput } from './job-options.ts';

interface JobResult {
  readonly job: JobView;
  readonly replayed: boolean;
}

const SubmitJobPayload = builder.objectRef<JobResult>('SubmitJobPayload').implement({
  description: 'The job was stored and will run.',
  fields: (t) => ({
    job: t.expose('job', { type: JobRef, description: 'The job.' }),
    replayed: t.exposeBoolean('replayed', {
      description: 'True when an earlier call with the same idempotency key created the job.',
    }),
    query: t.field({
      type: QueryRef,
      description: 'The query root, to read other data in the same request.',
      resolve: () => ({}),
    }),
  }),
});

const CancelJobPayload = builder
  .objectRef<{ readonly job: JobView; readonly outcome: CancelOutcome }>('CancelJobPayload')
  .implement({
    description: 'Result of `cancelJob`. Canceling a final job is not an error; see `outcome`.',
    fields: (t) => ({
      job: t.expose('job', { type: JobRef, description: 'The job.' }),
      outcome: t.expose('outcome', { type: CancelOutcomeEnum, description: 'Result of the cancellation.' }),
    }),
  });

const RetryJobPayload = builder.objectRef<JobResult>('RetryJobPayload').implement({
  description: 'The job will run again.',
  fields: (t) => ({
    job: t.expose('job', { type: JobRef, description: 'The job, under the same id.' }),
    replayed: t.exposeBoolean('replayed', {
      description: 'True when an earlier call with the same idempotency key retried the job.',
    }),
  }),
});

const DeleteJobPayload = builder.objectRef<{ readonly deletedId: string }>('DeleteJobPayload').implement({
  description: 'The job, its transcript and its uploaded recording were deleted.',
  fields: (t) => ({ deletedId: t.exposeID('deletedId', { description: 'Id of the deleted job.' }) }),
});

const SubmitJobResult = builder.errorUnion('SubmitJobResult', {
  description: 'Result of `submitJob`.',
  types: [SubmitJobPayload, ValidationError, AudioSourceError, QuotaExceededError, IdempotencyError],
  resolveType: () => SubmitJobPayload,
});
const CancelJobResult = builder.errorUnion('CancelJobResult', {
  description: 'Result of `cancelJob`.',
  types: [CancelJobPayload, NotFoundError],
  resolveType: () => CancelJobPayload,
});
const RetryJobResult = builder.errorUnion('RetryJobResult', {
  description: 'Result of `retryJob`.',
  types: [RetryJobPayload, NotFoundError, InvalidStateError, QuotaExceededError, IdempotencyError],
  resolveType: () => RetryJobPayload,
});
const DeleteJobResult = builder.errorUnion('DeleteJobResult', {
  description: 'Result of `deleteJob`.',
  types: [DeleteJobPayload, NotFoundError, InvalidStateError],
  resolveType: () => DeleteJobPayload,
});

const CancelJobInput = builder.inputType('CancelJobInput', {
  description: 'Input of `cancelJob`.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Id of the job.' }),
    reason: t.string({ description: 'Reason, for the record; at most 200 characters.' }),
  }),
});

const RetryJobInput = builder.inputType('RetryJobInput', {
  description: 'Input of `retryJob`.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Id of the job.' }),
    model: t.string({ description: 'Model to use instead; the transcript then starts over.' }),
    priority: t.field({ type: JobPriorityEnum, description: 'Priority to use instead.' }),
    idempotencyKey: t.string({
      description:
        'Calls with the same key and input within 24 hours retry the job once; 8 to 128 characters.',
    }),
  }),
});

const DeleteJobInput = builder.inputType('DeleteJobInput', {
  description: 'Input of `deleteJob`.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'Id of the job.' }),
    force: t.boolean({
      defaultValue: false,
      description: 'Whether to cancel the job first when it is not final.',
    }),
  }),
});

builder.mutationFields((t) => ({
  submitJob: t.field({
    type: SubmitJobResult,
    nullable: true,
    description:
      'Submits a recording for transcription. The job is stored durably when this returns; watch it with `jobProgress`.',
    args: {
      input: t.arg({ type: SubmitJobInput, required: true, description: 'The recording and the options.' }),
    },
    resolve: (_root, { input }, { api }) => api.jobs.submit(input),
  }),
  cancelJob: t.field({
    type: CancelJobResult,
    nullable: true,
    description: 'Cancels a job: immediately while it waits, within about a second while it runs.',
    args: { input: t.arg({ type: CancelJobInput, required: true, description: 'The job.' }) },
    resolve: (_root, { input }, { api }) => api.jobs.cancel(input),
  }),
  retryJob: t.field({
    type: RetryJobResult,
    nullable: true,
    description: 'Runs a failed job again under the same id; it continues after its stored segments.',
    args: { input: t.arg({ type: RetryJobInput, required: true, description: 'The job.' }) },
    resolve: (_root, { input }, { api }) => api.jobs.retry(input),
  }),
  deleteJob: t.field({
    type: DeleteJobResult,
    nullable: true,
    description: 'Permanently deletes a job with its transcript and its uploaded recording.',
    args: { input: t.arg({ type: DeleteJobInput, required: true, description: 'The job.' }) },
    resolve: (_root, { input }, { api }) => api.jobs.delete(input),
  }),
}));
