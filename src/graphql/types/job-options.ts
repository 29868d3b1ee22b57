import type { TranscriptionOptions } from '../../domain/transcription-options.ts';
import { builder } from '../builder.ts';
import { EngineEnum, JobPriorityEnum, TimestampGranularityEnum } from './job-enums.ts';

const AudioInput = builder.inputType('AudioInput', {
  description: 'Source of the recording; exactly one field.',
  isOneOf: true,
  fields: (t) => ({
    url: t.field({ type: 'URL', description: 'URL to download it from, http or https.' }),
    uploadId: t.id({ description: 'Id from `createUpload`, after the file was sent.' }),
  }),
});

export const SubmitJobInput = builder.inputType('SubmitJobInput', {
  description: 'Input of `submitJob`.',
  fields: (t) => ({
    audio: t.field({ type: AudioInput, required: true, description: 'The recording.' }),
    engines: t.field({
      type: [EngineEnum],
      description:
        'Engines in order of preference; the next one takes over when an engine is unavailable or keeps ' +
        "failing. Default: the server's `DEFAULT_ENGINES`.",
    }),
    model: t.string({
      description: "Model of the first engine; see `models`. Default: the worker's default model.",
    }),
    deadline: t.field({
      type: 'DateTime',
      description: 'The job fails with kind TIMEOUT when it is not finished by this time.',
    }),
    language: t.field({ type: 'LanguageTag', description: 'Spoken language; detected when omitted.' }),
    timestamps: t.field({
      type: TimestampGranularityEnum,
      defaultValue: 'SEGMENT',
      description: 'Granularity of timestamps.',
    }),
    diarize: t.boolean({ defaultValue: false, description: 'Whether to distinguish speakers.' }),
    translateToEnglish: t.boolean({
      defaultValue: false,
      description: 'Whether to translate the text to English.',
    }),
    vocabulary: t.stringList({
      description: 'Words and names that the recording is likely to contain; at most 100.',
    }),
    priority: t.field({
      type: JobPriorityEnum,
      defaultValue: 'NORMAL',
      description: 'Priority among waiting jobs.',
    }),
    scheduledFor: t.field({ type: 'DateTime', description: 'The job does not start before this time.' }),
    tags: t.stringList({ description: 'Labels to filter by; at most 10, of up to 64 characters.' }),
    metadata: t.field({ type: 'JSONObject', description: 'Arbitrary JSON, returned unchanged.' }),
    externalId: t.string({ description: 'Your own unique id for the job; at most 128 characters.' }),
    idempotencyKey: t.string({
      description:
        'Calls with the same key and input within 24 hours return the first job; 8 to 128 characters.',
    }),
  }),
});

export const TranscriptionOptionsRef = builder
  .objectRef<TranscriptionOptions>('TranscriptionOptions')
  .implement({
    description: 'Requested options of a transcription.',
    fields: (t) => ({
      model: t.exposeString('model', {
        description: "Name of the model, or `default` for the worker's default.",
      }),
      language: t.expose('language', {
        type: 'LanguageTag',
        nullable: true,
        description: 'Requested language; null to detect it.',
      }),
      timestamps: t.expose('timestamps', {
        type: TimestampGranularityEnum,
        description: 'Granularity of timestamps.',
      }),
      diarize: t.exposeBoolean('diarize', { description: 'Whether speakers are distinguished.' }),
      translateToEnglish: t.exposeBoolean('translateToEnglish', {
        description: 'Whether the text is translated to English.',
      }),
      vocabulary: t.stringList({
        description: 'Words and names that the recording is likely to contain.',
        resolve: (options) => [...options.vocabulary],
      }),
    }),
  });
