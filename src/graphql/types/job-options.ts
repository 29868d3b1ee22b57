import type { TranscriptionOptions } from '../../domain/transcription-options.ts';
import { builder } from '../builder.ts';
import { EngineEnum, JobPriorityEnum, TimestampGranularityEnum } from './job-enums.ts';

const AudioInput = builder.inputType('AudioInput', {
  description: 'Where the recording is. Exactly one source.',
  isOneOf: true,
  fields: (t) => ({
    url: t.field({ type: 'URL', description: 'An address to fetch it from, http or https.' }),
    uploadId: t.id({ description: 'The id that `createUpload` gave, once the file is sent.' }),
  }),
});

export const SubmitJobInput = builder.inputType('SubmitJobInput', {
  description: 'What to transcribe, and how.',
  fields: (t) => ({
    audio: t.field({ type: AudioInput, required: true, description: 'The recording.' }),
    engines: t.field({
      type: [EngineEnum],
      description:
        'Tried in this order: the next one takes over when an engine is unavailable or keeps failing. ' +
        "Default: the server's first.",
    }),
    model: t.string({
      description: "A model of the first engine; default: that engine's default. See `models`.",
    }),
    deadline: t.field({
      type: 'DateTime',
      description: 'Give up when not finished by then (FAILED, kind TIMEOUT).',
    }),
    language: t.field({ type: 'LanguageTag', description: 'The language spoken; omit to detect.' }),
    timestamps: t.field({
      type: TimestampGranularityEnum,
      defaultValue: 'SEGMENT',
      description: 'Fineness of times.',
    }),
    diarize: t.boolean({ defaultValue: false, description: 'Whether to tell speakers apart.' }),
    translateToEnglish: t.boolean({
      defaultValue: false,
      description: 'Whether to write English whatever is spoken.',
    }),
    vocabulary: t.stringList({
      description: 'Words and names the recording is likely to contain; at most 100.',
    }),
    priority: t.field({
      type: JobPriorityEnum,
      defaultValue: 'NORMAL',
      description: 'Its place among those waiting.',
    }),
    scheduledFor: t.field({ type: 'DateTime', description: 'Not before this time.' }),
    tags: t.stringList({ description: 'Labels of yours; at most 10.' }),
    metadata: t.field({ type: 'JSONObject', description: 'Data of yours, kept as it came.' }),
    externalId: t.string({ description: 'Your own id for it; at most 128 characters.' }),
    idempotencyKey: t.string({
      description: 'Same key and input within 24 h returns the first job; 8 to 128 characters.',
    }),
  }),
});

export const TranscriptionOptionsRef = builder
  .objectRef<TranscriptionOptions>('TranscriptionOptions')
  .implement({
    description: 'What was asked of the transcription.',
    fields: (t) => ({
      model: t.exposeString('model', { description: "A model's name, or `default`." }),
      language: t.expose('language', {
        type: 'LanguageTag',
        nullable: true,
        description: 'The language asked for; null to detect it.',
      }),
      timestamps: t.expose('timestamps', {
        type: TimestampGranularityEnum,
        description: 'Fineness of times.',
      }),
      diarize: t.exposeBoolean('diarize', { description: 'Whether speakers are told apart.' }),
      translateToEnglish: t.exposeBoolean('translateToEnglish', {
        description: 'Whether the text is English whatever was spoken.',
      }),
      vocabulary: t.stringList({
        description: 'Words and names the recording is likely to contain.',
        resolve: (options) => [...options.vocabulary],
      }),
    }),
  });
