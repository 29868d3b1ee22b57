import type { AttemptView, AudioView, JobFailureView, ProgressView } from '../../domain/job-view.ts';
import { builder } from '../builder.ts';
import { AttemptOutcomeEnum, EngineEnum, FailureKindEnum, JobStageEnum } from './job-enums.ts';

export const JobProgressRef = builder.objectRef<ProgressView>('JobProgress').implement({
  description: 'Progress of a job.',
  fields: (t) => ({
    stage: t.expose('stage', {
      type: JobStageEnum,
      nullable: true,
      description: 'Current stage; null unless the job is running.',
    }),
    fraction: t.exposeFloat('fraction', {
      description: '0 to 1; never decreases within an attempt, and is 1 only when COMPLETED.',
    }),
    processedSeconds: t.exposeFloat('processedSeconds', { description: 'Seconds of audio transcribed.' }),
    totalSeconds: t.exposeFloat('totalSeconds', {
      nullable: true,
      description: 'Duration of the recording in seconds; null until it is decoded.',
    }),
    segmentCount: t.exposeInt('segmentCount', { description: 'Number of segments so far.' }),
    realtimeFactor: t.exposeFloat('realtimeFactor', {
      nullable: true,
      description: 'Seconds of audio transcribed per second; null until measured.',
    }),
    etaSeconds: t.exposeInt('etaSeconds', {
      nullable: true,
      description: 'Estimated seconds until completion; null when unknown.',
    }),
    isEstimate: t.exposeBoolean('isEstimate', {
      description:
        'True when the engine reports no progress, so that `etaSeconds` is estimated from the speed of other ' +
        'jobs.',
    }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'Time of the last update.' }),
  }),
});

export const JobFailureRef = builder.objectRef<JobFailureView>('JobFailure').implement({
  description: 'Failure of a job or an attempt.',
  fields: (t) => ({
    kind: t.expose('kind', { type: FailureKindEnum, description: 'Category of the failure.' }),
    code: t.exposeString('code', {
      description: 'Stable code such as `AUDIO_UNREADABLE`; see docs/failures.md.',
    }),
    message: t.exposeString('message', { description: 'Cause and remedy in English.' }),
    retryable: t.exposeBoolean('retryable', { description: 'Whether another attempt may succeed.' }),
    at: t.expose('at', { type: 'DateTime', description: 'Time of the failure.' }),
    deadLetteredAt: t.expose('deadLetteredAt', {
      type: 'DateTime',
      nullable: true,
      description:
        'When the job became a dead letter after all of its attempts; null for a failure that is not retried.',
    }),
  }),
});

export const JobAttemptRef = builder.objectRef<AttemptView>('JobAttempt').implement({
  description: 'One attempt to run a job.',
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'Number of the attempt, from 1.' }),
    engine: t.expose('engine', { type: EngineEnum, description: 'Engine that was used.' }),
    model: t.exposeString('model', { description: 'Model that was used.' }),
    workerId: t.exposeID('workerId', { nullable: true, description: 'Id of the worker.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'Time at which a worker started it.' }),
    finishedAt: t.expose('finishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Time at which it ended; null while it runs.',
    }),
    outcome: t.expose('outcome', {
      type: AttemptOutcomeEnum,
      nullable: true,
      description: 'How it ended; null while it runs.',
    }),
    failure: t.expose('failure', {
      type: JobFailureRef,
      nullable: true,
      description: 'Failure; null unless it failed.',
    }),
    requestId: t.exposeString('requestId', {
      nullable: true,
      description: 'Request id of the hosted engine, for its support; null for local engines.',
    }),
  }),
});

export const AudioRef = builder.objectRef<AudioView>('Audio').implement({
  description: 'Properties of a recording; null until known.',
  fields: (t) => ({
    filename: t.exposeString('filename', { nullable: true, description: 'File name.' }),
    contentType: t.exposeString('contentType', { nullable: true, description: 'Media type.' }),
    codec: t.exposeString('codec', { nullable: true, description: 'Audio codec, such as `mp3`.' }),
    sizeBytes: t.expose('sizeBytes', { type: 'SafeInt', nullable: true, description: 'Size in bytes.' }),
    durationSeconds: t.exposeFloat('durationSeconds', {
      nullable: true,
      description: 'Duration in seconds.',
    }),
    sha256: t.exposeString('sha256', { nullable: true, description: 'SHA-256 in hexadecimal.' }),
    sampleRate: t.exposeInt('sampleRate', { nullable: true, description: 'Samples per second.' }),
    channels: t.exposeInt('channels', { nullable: true, description: 'Number of channels.' }),
  }),
});
