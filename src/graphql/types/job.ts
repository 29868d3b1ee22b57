import { isIdOf } from '../../domain/ids.ts';
import type { JobView } from '../../domain/job-view.ts';
import { isFinal } from '../../domain/vocabulary.ts';
import { builder } from '../builder.ts';
import { EngineEnum, JobPriorityEnum, JobStatusEnum } from './job-enums.ts';
import { TranscriptionOptionsRef } from './job-options.ts';
import { AudioRef, JobAttemptRef, JobFailureRef, JobProgressRef } from './job-progress.ts';
import { TranscriptRef } from './transcript.ts';

const JobActionsRef = builder.objectRef<JobView>('JobActions').implement({
  description: 'Actions that are possible now.',
  fields: (t) => ({
    canCancel: t.boolean({
      description: 'Whether `cancelJob` would cancel it.',
      resolve: (job) => !isFinal(job.status),
    }),
    canRetry: t.boolean({
      description: 'Whether `retryJob` would run it again.',
      resolve: (job) => job.status === 'FAILED',
    }),
    canDelete: t.boolean({
      description: 'Whether `deleteJob` would delete it without `force`.',
      resolve: (job) => isFinal(job.status),
    }),
  }),
});

const JobUsageRef = builder.objectRef<NonNullable<JobView['usage']>>('JobUsage').implement({
  description: 'Usage of a completed job.',
  fields: (t) => ({
    billedSeconds: t.exposeFloat('billedSeconds', { description: 'Billed seconds of audio.' }),
    computeSeconds: t.exposeFloat('computeSeconds', { description: 'Seconds of work on workers.' }),
  }),
});

export const JobRef = builder.objectRef<JobView>('Job');

builder.node(JobRef, {
  description: 'Transcription of one recording.',
  id: { resolve: (job) => job.id },
  isTypeOf: (value) => isIdOf('Job', (value as JobView).id),
  fields: (t) => ({
    externalId: t.exposeString('externalId', { nullable: true, description: 'Your own id for the job.' }),
    status: t.expose('status', { type: JobStatusEnum, description: 'Current status.' }),
    revision: t.exposeInt('revision', {
      description: 'Increases by one with every change; compare it to discard stale updates.',
    }),
    progress: t.expose('progress', { type: JobProgressRef, description: 'Progress.' }),
    queue: t.exposeString('queue', { description: 'Queue that the job waits in or ran from.' }),
    priority: t.expose('priority', { type: JobPriorityEnum, description: 'Priority among waiting jobs.' }),
    engines: t.field({
      type: [EngineEnum],
      description: 'Engines in order of preference; each attempt has the one that was used.',
      resolve: (job) => [...job.engines],
    }),
    tags: t.stringList({ description: 'Your labels.', resolve: (job) => [...job.tags] }),
    metadata: t.expose('metadata', {
      type: 'JSONObject',
      nullable: true,
      description: 'Your JSON, returned unchanged.',
    }),
    audio: t.expose('audio', { type: AudioRef, description: 'The recording.' }),
    options: t.expose('options', { type: TranscriptionOptionsRef, description: 'Requested options.' }),
    maxAttempts: t.exposeInt('maxAttempts', { description: 'Maximum number of attempts.' }),
    failure: t.expose('failure', {
      type: JobFailureRef,
      nullable: true,
      description: 'Failure of the job, or of its last attempt while RETRYING.',
    }),
    transcript: t.expose('transcript', {
      type: TranscriptRef,
      nullable: true,
      description: 'Transcript so far; null until the first segment exists.',
    }),
    actions: t.field({
      type: JobActionsRef,
      description: 'Actions that are possible now.',
      resolve: (job) => job,
    }),
    usage: t.expose('usage', {
      type: JobUsageRef,
      nullable: true,
      description: 'Usage; null unless COMPLETED.',
    }),
  }),
});

builder.objectFields(JobRef, (t) => ({
  submittedAt: t.expose('submittedAt', { type: 'DateTime', description: 'Time of submission.' }),
  scheduledFor: t.expose('scheduledFor', {
    type: 'DateTime',
    nullable: true,
    description: 'The job does not start before this time.',
  }),
  deadline: t.expose('deadline', {
    type: 'DateTime',
    nullable: true,
    description: 'The job fails with kind TIMEOUT when it is not finished by this time.',
  }),
  startedAt: t.expose('startedAt', {
    type: 'DateTime',
    nullable: true,
    description: 'Start of the first attempt.',
  }),
  finishedAt: t.expose('finishedAt', {
    type: 'DateTime',
    nullable: true,
    description: 'Time at which the job became final.',
  }),
  expiresAt: t.expose('expiresAt', {
    type: 'DateTime',
    nullable: true,
    description: 'Time at which the job and its transcript are deleted; null until final.',
  }),
  nextAttemptAt: t.expose('nextAttemptAt', {
    type: 'DateTime',
    nullable: true,
    description: 'Time of the next attempt; null unless RETRYING.',
  }),
  cancelRequestedAt: t.expose('cancelRequestedAt', {
    type: 'DateTime',
    nullable: true,
    description:
      'Time at which cancellation was requested; the status becomes CANCELED when the worker has stopped.',
  }),
  queuePosition: t.int({
    nullable: true,
    complexity: 1,
    description: 'Position in the queue, from 1; null when unknown or not QUEUED.',
    resolve: async (job, _args, { loaders }) =>
      job.status === 'QUEUED' ? ((await loaders.queuePosition.load(job.id))?.position ?? null) : null,
  }),
  estimatedStartAt: t.field({
    type: 'DateTime',
    nullable: true,
    complexity: 1,
    description: 'Estimated start; null when unknown or not QUEUED.',
    resolve: async (job, _args, { loaders }) =>
      job.status === 'QUEUED' ? ((await loaders.queuePosition.load(job.id))?.estimatedStartAt ?? null) : null,
  }),
  estimatedFinishAt: t.field({
    type: 'DateTime',
    nullable: true,
    description: 'Estimated completion; null when unknown or not PROCESSING.',
    resolve: ({ status, progress: { etaSeconds, updatedAt } }) =>
      status === 'PROCESSING' && etaSeconds !== null
        ? new Date(updatedAt.getTime() + etaSeconds * 1000)
        : null,
  }),
  attempts: t.field({
    type: [JobAttemptRef],
    description: 'Attempts so far, in order.',
    resolve: async (job, _args, { loaders }) => [...(await loaders.attempts.load(job.id))],
  }),
}));
