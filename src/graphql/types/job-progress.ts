import type { AttemptView, AudioView, JobFailureView, ProgressView } from '../../domain/job-view.ts';
import { builder } from '../builder.ts';
import { AttemptOutcomeEnum, EngineEnum, FailureKindEnum, JobStageEnum } from './job-enums.ts';

export const JobProgressRef = builder.objectRef<ProgressView>('JobProgress').implement({
  description: 'How far a job is.',
  fields: (t) => ({
    stage: t.expose('stage', {
      type: JobStageEnum,
      nullable: true,
      description: 'What its worker is doing; null while no worker has it.',
    }),
    fraction: t.exposeFloat('fraction', {
      description: '0 to 1, never falls within one attempt; 1 only when COMPLETED.',
    }),
    processedSeconds: t.exposeFloat('processedSeconds', { description: 'Seconds of audio done.' }),
    totalSeconds: t.exposeFloat('totalSeconds', {
      nullable: true,
      description: 'Length of the recording in seconds; null until it is decoded.',
    }),
    segmentCount: t.exposeInt('segmentCount', { description: 'Segments stored so far.' }),
    realtimeFactor: t.exposeFloat('realtimeFactor', {
      nullable: true,
      description: 'Seconds of audio done per second; null until measured.',
    }),
    etaSeconds: t.exposeInt('etaSeconds', {
      nullable: true,
      description: 'Seconds left until it is done, when known.',
    }),
    isEstimate: t.exposeBoolean('isEstimate', {
      description:
        'True when the engine reports no progress while it works, so that `etaSeconds` comes from the speed ' +
        'of other jobs.',
    }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When this was last heard.' }),
  }),
});

export const JobFailureRef = builder.objectRef<JobFailureView>('JobFailure').implement({
  description: 'Why a job or an attempt failed. `message` names the cause and what to do.',
  fields: (t) => ({
    kind: t.expose('kind', { type: FailureKindEnum, description: 'What kind of thing went wrong.' }),
    code: t.exposeString('code', { description: 'Stable code, such as `AUDIO_UNREADABLE`.' }),
    message: t.exposeString('message', { description: 'The cause and the remedy, in English.' }),
    retryable: t.exposeBoolean('retryable', { description: 'Whether another attempt may succeed.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When it failed.' }),
    deadLetteredAt: t.expose('deadLetteredAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the job gave up after its retries; null for a failure that was final at once.',
    }),
  }),
});

export const JobAttemptRef = builder.objectRef<AttemptView>('JobAttempt').implement({
  description: 'One run of a job.',
  fields: (t) => ({
    number: t.exposeInt('number', { description: 'From 1 up.' }),
    engine: t.expose('engine', { type: EngineEnum, description: 'The engine that ran it.' }),
    model: t.exposeString('model', { description: 'The model that ran it.' }),
    workerId: t.exposeID('workerId', { nullable: true, description: 'The worker that ran it.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When a worker took it.' }),
    finishedAt: t.expose('finishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ended; null while it runs.',
    }),
    outcome: t.expose('outcome', {
      type: AttemptOutcomeEnum,
      nullable: true,
      description: 'How it ended; null while it runs.',
    }),
    failure: t.expose('failure', {
      type: JobFailureRef,
      nullable: true,
      description: 'Why it failed, if it did.',
    }),
    requestId: t.exposeString('requestId', {
      nullable: true,
      description: "The hosted engine's id of this request, for its support; null for local engines.",
    }),
  }),
});

export const AudioRef = builder.objectRef<AudioView>('Audio').implement({
  description: 'What is known of a recording; fields are null until they are known.',
  fields: (t) => ({
    filename: t.exposeString('filename', { nullable: true, description: 'Name of the file.' }),
    contentType: t.exposeString('contentType', { nullable: true, description: 'Media type.' }),
    codec: t.exposeString('codec', { nullable: true, description: 'Audio codec, such as `mp3`.' }),
    sizeBytes: t.expose('sizeBytes', { type: 'SafeInt', nullable: true, description: 'Size in bytes.' }),
    durationSeconds: t.exposeFloat('durationSeconds', { nullable: true, description: 'Length in seconds.' }),
    sha256: t.exposeString('sha256', { nullable: true, description: 'SHA-256 in hexadecimal.' }),
    sampleRate: t.exposeInt('sampleRate', { nullable: true, description: 'Samples a second.' }),
    channels: t.exposeInt('channels', { nullable: true, description: 'Number of channels.' }),
  }),
});
