import type { Segment, Word } from '../../domain/transcript.ts';
import { builder } from '../builder.ts';

export const SpeakerRef = builder
  .objectRef<{ readonly id: string; readonly jobId: string; readonly totalMs?: number }>('Speaker')
  .implement({
    description: 'Speaker in the recording.',
    fields: (t) => ({
      id: t.exposeString('id', { description: 'Id within the job, such as `0`.' }),
      label: t.string({
        description: 'Display name, such as `Speaker 1`.',
        resolve: ({ id }) => (/^\d+$/.test(id) ? `Speaker ${Number(id) + 1}` : id),
      }),
      totalMs: t.int({
        complexity: 1,
        description: 'Milliseconds of speech in the whole recording.',
        resolve: async ({ id, jobId, totalMs }, _args, { loaders }) =>
          totalMs ?? (await loaders.speech.load(jobId)).get(id) ?? 0,
      }),
    }),
  });

const WordRef = builder.objectRef<Word>('Word').implement({
  description: 'Word with timestamps.',
  fields: (t) => ({
    startMs: t.exposeInt('startMs', {
      description: 'Start in milliseconds from the start of the recording.',
    }),
    endMs: t.exposeInt('endMs', { description: 'End in milliseconds from the start of the recording.' }),
    text: t.exposeString('text', { description: 'The word.' }),
    confidence: t.exposeFloat('confidence', {
      nullable: true,
      description: 'Confidence from 0 to 1; null when unknown.',
    }),
  }),
});

export interface SegmentOfJob extends Segment {
  readonly jobId: string;
}

export function segmentsOfJob(jobId: string, segments: readonly Segment[]): SegmentOfJob[] {
  return segments.map((segment) => ({ ...segment, jobId }));
}

export const SegmentRef = builder.objectRef<SegmentOfJob>('TranscriptSegment');

SegmentRef.implement({
  description: 'Segment of a transcript. A stored segment never changes.',
  fields: (t) => ({
    index: t.exposeInt('index', { description: 'Index in the transcript, from 0 without gaps.' }),
    startMs: t.exposeInt('startMs', {
      description: 'Start in milliseconds from the start of the recording.',
    }),
    endMs: t.exposeInt('endMs', { description: 'End in milliseconds from the start of the recording.' }),
    text: t.exposeString('text', { description: 'Spoken text.' }),
    speaker: t.field({
      type: SpeakerRef,
      nullable: true,
      description: 'Speaker; null unless the job has `diarize: true`.',
      resolve: ({ jobId, speaker }) => (speaker === null ? null : { id: speaker, jobId }),
    }),
    confidence: t.exposeFloat('confidence', {
      nullable: true,
      description: 'Confidence from 0 to 1; null when unknown.',
    }),
    isFinal: t.boolean({
      description: 'Whether the segment is final; always true at present.',
      resolve: () => true,
    }),
    words: t.field({
      type: [WordRef],
      nullable: true,
      complexity: { field: 1, multiplier: 1 },
      description: 'Words with timestamps; null unless the job has `timestamps: WORD`.',
      resolve: ({ words }) => (words === null ? null : [...words]),
    }),
  }),
});
