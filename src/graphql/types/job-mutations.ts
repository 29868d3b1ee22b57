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
  description: 'The job is stored and will run.',
  fields: (t) => ({
    job: t.expose('job', { type: JobRef, description: 'The job.' }),
    replayed: t.exposeBoolean('replayed', {
      description: 'True when an earlier call with this key made the job.',
    }),
    query: t.field({ type: QueryRef, description: 'Anything else to read at once.', resolve: () => ({}) }),
  }),
});

const CancelJobPayload = builder
  .objectRef<{ readonly job: JobView; readonly outcome: CancelOutcome }>('CancelJobPayload')
  .implement({
    description: 'Canceling a final job is no error; `outcome` tells what happened.',
    fields: (t) => ({
      job: t.expose('job', { type: JobRef, description: 'The job.' }),
      outcome: t.expose('outcome', { type: CancelOutcomeEnum, description: 'What canceling it did.' }),
    }),
  });

const RetryJobPayload = builder.objectRef<JobResult>('RetryJobPayload').implement({
  description: 'The job will run again.',
  fields: (t) => ({
    job: t.expose('job', { type: JobRef, description: 'The job, with the same id.' }),
    replayed: t.exposeBoolean('replayed', {
      description: 'True when an earlier call with this key retried it.',
    }),
  }),
});

const DeleteJobPayload = builder.objectRef<{ readonly deletedId: string }>('DeleteJobPayload').implement({
  description: 'The job, its transcript and its recording are gone.',
  fields: (t) => ({ deletedId: t.exposeID('deletedId', { description: 'The id it had.' }) }),
});

const SubmitJobResult = builder.errorUnion('SubmitJobResult', {
  description: 'What `submitJob` gives back.',
  types: [SubmitJobPayload, ValidationError, AudioSourceError, QuotaExceededError, IdempotencyError],
  resolveType: () => SubmitJobPayload,
});
const CancelJobResult = builder.errorUnion('CancelJobResult', {
  description: 'What `cancelJob` gives back.',
  types: [CancelJobPayload, NotFoundError],
  resolveType: () => CancelJobPayload,
});
const RetryJobResult = builder.errorUnion('RetryJobResult', {
  description: 'What `retryJob` gives back.',
  types: [RetryJobPayload, NotFoundError, InvalidStateError, QuotaExceededError, IdempotencyError],
  resolveType: () => RetryJobPayload,
});
const DeleteJobResult = builder.errorUnion('DeleteJobResult', {
  description: 'What `deleteJob` gives back.',
  types: [DeleteJobPayload, NotFoundError, InvalidStateError],
  resolveType: () => DeleteJobPayload,
});

const CancelJobInput = builder.inputType('CancelJobInput', {
  description: 'Which job to cancel.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The job.' }),
    reason: t.string({ description: 'Why, for whoever looks later; at most 200 characters.' }),
  }),
});

const RetryJobInput = builder.inputType('RetryJobInput', {
  description: 'Which failed job to run again, and with what changed.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The job.' }),
    model: t.string({ description: 'Another model; the same when left out.' }),
    priority: t.field({ type: JobPriorityEnum, description: 'Another priority; the same when left out.' }),
    idempotencyKey: t.string({
      description: 'Same key and input within 24 h retries once; 8 to 128 characters.',
    }),
  }),
});

const DeleteJobInput = builder.inputType('DeleteJobInput', {
  description: 'Which job to delete.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The job.' }),
    force: t.boolean({ defaultValue: false, description: 'Cancel first when still running.' }),
  }),
});

builder.mutationFields((t) => ({
  submitJob: t.field({
    type: SubmitJobResult,
    nullable: true,
    description: 'Asks for a recording to be transcribed. Stored once this answers; watch `jobProgress`.',
    args: { input: t.arg({ type: SubmitJobInput, required: true, description: 'What to transcribe.' }) },
    resolve: (_root, { input }, { api }) => api.jobs.submit(input),
  }),
  cancelJob: t.field({
    type: CancelJobResult,
    nullable: true,
    description: 'Stops a job: at once while it waits, within about a second while it runs.',
    args: { input: t.arg({ type: CancelJobInput, required: true, description: 'Which job.' }) },
    resolve: (_root, { input }, { api }) => api.jobs.cancel(input),
  }),
  retryJob: t.field({
    type: RetryJobResult,
    nullable: true,
    description: 'Runs a failed job again under the same id; segments it has stay.',
    args: { input: t.arg({ type: RetryJobInput, required: true, description: 'Which job.' }) },
    resolve: (_root, { input }, { api }) => api.jobs.retry(input),
  }),
  deleteJob: t.field({
    type: DeleteJobResult,
    nullable: true,
    description: 'Deletes a job with its transcript and its uploaded recording, for good.',
    args: { input: t.arg({ type: DeleteJobInput, required: true, description: 'Which job.' }) },
    resolve: (_root, { input }, { api }) => api.jobs.delete(input),
  }),
}));
