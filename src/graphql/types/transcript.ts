import type { ExportView } from '../../app/export-transcript.ts';
import { DEFAULT_SEGMENTS_PER_PAGE, MAX_SEGMENTS_PER_PAGE } from '../../app/read-segments.ts';
import type { TranscriptView } from '../../domain/job-view.ts';
import { builder } from '../builder.ts';
import { costOfPage } from '../limits.ts';
import { CaptionPresetEnum, ExportFormatEnum } from './job-enums.ts';
import { SpeakerRef, segmentsOfJob } from './segment.ts';
import { SegmentConnectionRef } from './segment-connection.ts';

const ExportOptionsInput = builder.inputType('ExportOptions', {
  description: 'How an export is laid out. Lines, times and marked words concern SRT and VTT only.',
  fields: (t) => ({
    preset: t.field({
      type: CaptionPresetEnum,
      defaultValue: 'WEB',
      description: 'Where the captions are shown: line lengths, reading speed, durations and gaps.',
    }),
    maxCharsPerLine: t.int({
      description:
        "Characters a line; 10 to 120. By default the preset's for the script: 42 for WEB in Latin.",
    }),
    maxLines: t.int({ description: "Lines a caption; 1 to 5. By default the preset's: 2 for WEB." }),
    includeSpeakers: t.boolean({ defaultValue: false, description: 'Whether speakers are named.' }),
    highlightWords: t.boolean({
      description:
        'Whether each word is marked while it is spoken; refused unless the job has `timestamps: WORD`. ' +
        "By default the preset's: true for KARAOKE.",
    }),
  }),
});

const TranscriptExportRef = builder.objectRef<ExportView>('TranscriptExport').implement({
  description: 'A transcript as a file.',
  fields: (t) => ({
    format: t.expose('format', { type: ExportFormatEnum, description: 'The format asked for.' }),
    contentType: t.exposeString('contentType', { description: 'Media type of the file.' }),
    content: t.exposeString('content', {
      nullable: true,
      description: 'The file inline, up to 256 KiB; null above: fetch `url`.',
    }),
    url: t.expose('url', { type: 'URL', description: 'Where to fetch it; signed, short-lived.' }),
    sizeBytes: t.expose('sizeBytes', { type: 'SafeInt', description: 'Size in bytes.' }),
    sha256: t.exposeString('sha256', { description: 'SHA-256 of the file in hexadecimal.' }),
    expiresAt: t.expose('expiresAt', { type: 'DateTime', description: 'Until when `url` works.' }),
  }),
});

export const TranscriptRef = builder.objectRef<TranscriptView>('Transcript').implement({
  description: 'What was said in a recording. Readable while it grows.',
  fields: (t) => ({
    language: t.expose('language', {
      type: 'LanguageTag',
      nullable: true,
      description: 'The language spoken; null until known.',
    }),
    languageConfidence: t.exposeFloat('languageConfidence', {
      nullable: true,
      description: '0 to 1, when the language was detected.',
    }),
    isFinal: t.exposeBoolean('isFinal', { description: 'Whether it is whole and stays as it is.' }),
    text: t.string({
      nullable: true,
      complexity: 5,
      description: 'Whole text; null above 1 MiB, use `export`.',
      resolve: ({ jobId }, _args, { api }) => api.transcripts.text(jobId),
    }),
    segments: t.field({
      type: SegmentConnectionRef,
      description: 'Its segments in order.',
      args: {
        first: t.arg.int({ defaultValue: DEFAULT_SEGMENTS_PER_PAGE, description: 'How many; 1 to 500.' }),
        after: t.arg.string({ description: 'Only those after this cursor.' }),
      },
      complexity: ({ first }) => costOfPage(first ?? DEFAULT_SEGMENTS_PER_PAGE, MAX_SEGMENTS_PER_PAGE),
      resolve: async ({ jobId }, args, { api }) => {
        const page = await api.transcripts.segments({ jobId, ...args });
        return { ...page, segments: segmentsOfJob(jobId, page.segments) };
      },
    }),
    speakers: t.field({
      type: [SpeakerRef],
      description: 'Who speaks; empty when speakers were not told apart.',
      resolve: async ({ jobId }, _args, { api }) =>
        (await api.transcripts.speakers(jobId)).map((speaker) => ({ ...speaker, jobId })),
    }),
    export: t.field({
      type: TranscriptExportRef,
      nullable: true,
      description: 'The whole transcript as a file; null while there is no segment.',
      args: {
        format: t.arg({ type: ExportFormatEnum, required: true, description: 'The format.' }),
        options: t.arg({ type: ExportOptionsInput, description: 'How it is laid out.' }),
      },
      complexity: 5,
      resolve: ({ jobId }, { format, options }, { api }) =>
        api.transcripts.describeExport({ jobId, format, options: options ?? {} }),
    }),
  }),
});
