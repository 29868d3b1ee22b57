import type { ExportView } from '../../app/export-transcript.ts';
import { DEFAULT_SEGMENTS_PER_PAGE, MAX_SEGMENTS_PER_PAGE } from '../../app/read-segments.ts';
import type { TranscriptView } from '../../domain/job-view.ts';
import { builder } from '../builder.ts';
import { costOfPage } from '../limits.ts';
import { CaptionPresetEnum, ExportFormatEnum } from './job-enums.ts';
import { SpeakerRef, segmentsOfJob } from './segment.ts';
import { SegmentConnectionRef } from './segment-connection.ts';

const ExportOptionsInput = builder.inputType('ExportOptions', {
  description: 'Layout of an export. All options except `includeSpeakers` apply to SRT and VTT only.',
  fields: (t) => ({
    preset: t.field({
      type: CaptionPresetEnum,
      defaultValue: 'WEB',
      description: 'Set of rules for line lengths, reading speed, durations and gaps.',
    }),
    maxCharsPerLine: t.int({
      description:
        "Maximum characters per line; 10 to 120. Default: the preset's for the script, such as 42 for Latin in WEB.",
    }),
    maxLines: t.int({
      description: "Maximum lines per caption; 1 to 5. Default: the preset's, such as 2 in WEB.",
    }),
    includeSpeakers: t.boolean({
      defaultValue: false,
      description: 'Whether to name speakers; JSON always does.',
    }),
    highlightWords: t.boolean({
      description:
        'Whether to mark each word while it is spoken; requires a job with `timestamps: WORD`. ' +
        "Default: the preset's, true only in KARAOKE.",
    }),
  }),
});

const TranscriptExportRef = builder.objectRef<ExportView>('TranscriptExport').implement({
  description: 'Transcript as a file.',
  fields: (t) => ({
    format: t.expose('format', { type: ExportFormatEnum, description: 'File format.' }),
    contentType: t.exposeString('contentType', { description: 'Media type of the file.' }),
    content: t.exposeString('content', {
      nullable: true,
      description: 'Content up to 256 KiB; null for larger files, download them from `url`.',
    }),
    url: t.expose('url', {
      type: 'URL',
      description: 'Signed URL to download the file, without authentication.',
    }),
    sizeBytes: t.expose('sizeBytes', { type: 'SafeInt', description: 'Size in bytes.' }),
    sha256: t.exposeString('sha256', { description: 'SHA-256 in hexadecimal.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'Time at which `url` expires.' }),
  }),
});

export const TranscriptRef = builder.objectRef<TranscriptView>('Transcript').implement({
  description: 'Transcript of a recording. Readable while the job runs.',
  fields: (t) => ({
    language: t.expose('language', {
      type: 'LanguageTag',
      nullable: true,
      description: 'Spoken language; null until known.',
    }),
    languageConfidence: t.exposeFloat('languageConfidence', {
      nullable: true,
      description: 'Confidence of the detected language, from 0 to 1; null when it was not detected.',
    }),
    isFinal: t.exposeBoolean('isFinal', {
      description: 'Whether the job is final, so that the transcript no longer changes.',
    }),
    text: t.string({
      nullable: true,
      complexity: 5,
      description: 'Full text; null above 1 MiB, use `export` instead.',
      resolve: ({ jobId }, _args, { api }) => api.transcripts.text(jobId),
    }),
    segments: t.field({
      type: SegmentConnectionRef,
      description: 'A page of segments, in order.',
      args: {
        first: t.arg.int({ defaultValue: DEFAULT_SEGMENTS_PER_PAGE, description: 'Page size; 1 to 500.' }),
        after: t.arg.string({ description: 'Only segments after this cursor.' }),
      },
      complexity: ({ first }) => costOfPage(first ?? DEFAULT_SEGMENTS_PER_PAGE, MAX_SEGMENTS_PER_PAGE),
      resolve: async ({ jobId }, args, { api }) => {
        const page = await api.transcripts.segments({ jobId, ...args });
        return { ...page, segments: segmentsOfJob(jobId, page.segments) };
      },
    }),
    speakers: t.field({
      type: [SpeakerRef],
      description: 'Speakers; empty unless the job has `diarize: true`.',
      resolve: async ({ jobId }, _args, { api }) =>
        (await api.transcripts.speakers(jobId)).map((speaker) => ({ ...speaker, jobId })),
    }),
    export: t.field({
      type: TranscriptExportRef,
      nullable: true,
      description: 'The transcript as a file; null while there are no segments.',
      args: {
        format: t.arg({ type: ExportFormatEnum, required: true, description: 'File format.' }),
        options: t.arg({ type: ExportOptionsInput, description: 'Layout.' }),
      },
      complexity: 5,
      resolve: ({ jobId }, { format, options }, { api }) =>
        api.transcripts.describeExport({ jobId, format, options: options ?? {} }),
    }),
  }),
});
