import { isIdOf } from '../../domain/ids.ts';
import type { JobView } from '../../domain/job-view.ts';
import { isFinal } from '../../domain/vocabulary.ts';
import { builder } from '../builder.ts';
import { EngineEnum, JobPriorityEnum, JobStatusEnum } from './job-enums.ts';
import { TranscriptionOptionsRef } from './job-options.ts';
import { AudioRef, JobAttemptRef, JobFailureRef, JobProgressRef } from './job-progress.ts';
import { TranscriptRef } from './transcript.ts';

const JobActionsRef = builder.objectRef<JobView>('JobActions').implement({
  description: 'What the caller may do with the job now.',
  fields: (t) => ({
    canCancel: t.boolean({
      description: 'Whether `cancelJob` would stop it.',
      resolve: (job) => !isFinal(job.status),
    }),
    canRetry: t.boolean({
      description: 'Whether `retryJob` would start it again.',
      resolve: (job) => job.status === 'FAILED',
    }),
    canDelete: t.boolean({
      description: 'Whether `deleteJob` would delete it without `force`.',
      resolve: (job) => isFinal(job.status),
    }),
  }),
});

const JobUsageRef = builder.objectRef<NonNullable<JobView['usage']>>('JobUsage').implement({
  description: 'What a job has used.',
  fields: (t) => ({
    billedSeconds: t.exposeFloat('billedSeconds', { description: 'Seconds of audio that count.' }),
    computeSeconds: t.exposeFloat('computeSeconds', { description: 'Seconds that workers were busy.' }),
  }),
});

export const JobRef = builder.objectRef<JobView>('Job');

builder.node(JobRef, {
  description: 'A recording to be transcribed, and what became of it.',
  id: { resolve: (job) => job.id },
  isTypeOf: (value) => isIdOf('Job', (value as JobView).id),
  fields: (t) => ({
    externalId: t.exposeString('externalId', { nullable: true, description: 'Your own id for it.' }),
    status: t.expose('status', { type: JobStatusEnum, description: 'Where it stands.' }),
    revision: t.exposeInt('revision', {
      description: 'Rises by one with every change; compare to drop stale updates.',
    }),
    progress: t.expose('progress', { type: JobProgressRef, description: 'How far it is.' }),
    queue: t.exposeString('queue', { description: 'The queue it waits in or ran from.' }),
    priority: t.expose('priority', { type: JobPriorityEnum, description: 'Its place among those waiting.' }),
    engines: t.field({
      type: [EngineEnum],
      description: 'The engines it may run on, in order of preference; the attempt says which one ran.',
      resolve: (job) => [...job.engines],
    }),
    tags: t.stringList({ description: 'Labels of yours.', resolve: (job) => [...job.tags] }),
    metadata: t.expose('metadata', {
      type: 'JSONObject',
      nullable: true,
      description: 'Data of yours, kept as it came.',
    }),
    audio: t.expose('audio', { type: AudioRef, description: 'What is known of the recording.' }),
    options: t.expose('options', { type: TranscriptionOptionsRef, description: 'What was asked for.' }),
    maxAttempts: t.exposeInt('maxAttempts', { description: 'Attempts before it gives up.' }),
    failure: t.expose('failure', {
      type: JobFailureRef,
      nullable: true,
      description: 'Why it failed, or why its last attempt did while it is RETRYING.',
    }),
    transcript: t.expose('transcript', {
      type: TranscriptRef,
      nullable: true,
      description: 'What was transcribed so far; null until the first segment exists.',
    }),
    actions: t.field({ type: JobActionsRef, description: 'What you may do now.', resolve: (job) => job }),
    usage: t.expose('usage', {
      type: JobUsageRef,
      nullable: true,
      description: 'What it used; null unless it is COMPLETED.',
    }),
  }),
});

builder.objectFields(JobRef, (t) => ({
  submittedAt: t.expose('submittedAt', { type: 'DateTime', description: 'When it was submitted.' }),
  scheduledFor: t.expose('scheduledFor', {
    type: 'DateTime',
    nullable: true,
    description: 'Not before this time.',
  }),
  deadline: t.expose('deadline', {
    type: 'DateTime',
    nullable: true,
    description: 'FAILED with kind TIMEOUT when not finished by then.',
  }),
  startedAt: t.expose('startedAt', {
    type: 'DateTime',
    nullable: true,
    description: 'When its first attempt started.',
  }),
  finishedAt: t.expose('finishedAt', {
    type: 'DateTime',
    nullable: true,
    description: 'When it became final.',
  }),
  expiresAt: t.expose('expiresAt', {
    type: 'DateTime',
    nullable: true,
    description: 'When it and its transcript are deleted.',
  }),
  nextAttemptAt: t.expose('nextAttemptAt', {
    type: 'DateTime',
    nullable: true,
    description: 'When it is tried again; set while RETRYING.',
  }),
  cancelRequestedAt: t.expose('cancelRequestedAt', {
    type: 'DateTime',
    nullable: true,
    description: 'When a cancel was asked for; CANCELED follows once the worker has let go.',
  }),
  queuePosition: t.int({
    nullable: true,
    complexity: 1,
    description: '1-based place in the queue, when known.',
    resolve: async (job, _args, { loaders }) =>
      job.status === 'QUEUED' ? ((await loaders.queuePosition.load(job.id))?.position ?? null) : null,
  }),
  estimatedStartAt: t.field({
    type: 'DateTime',
    nullable: true,
    complexity: 1,
    description: 'When a worker is likely to take it, when known.',
    resolve: async (job, _args, { loaders }) =>
      job.status === 'QUEUED' ? ((await loaders.queuePosition.load(job.id))?.estimatedStartAt ?? null) : null,
  }),
  estimatedFinishAt: t.field({
    type: 'DateTime',
    nullable: true,
    description: 'When it is likely to be done, when known.',
    resolve: ({ status, progress: { etaSeconds, updatedAt } }) =>
      status === 'PROCESSING' && etaSeconds !== null
        ? new Date(updatedAt.getTime() + etaSeconds * 1000)
        : null,
  }),
  attempts: t.field({
    type: [JobAttemptRef],
    description: 'Its runs so far, the first one first.',
    resolve: async (job, _args, { loaders }) => [...(await loaders.attempts.load(job.id))],
  }),
}));
