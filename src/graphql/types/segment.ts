import type { Segment, Word } from '../../domain/transcript.ts';
import { builder } from '../builder.ts';

export const SpeakerRef = builder
  .objectRef<{ readonly id: string; readonly jobId: string; readonly totalMs?: number }>('Speaker')
  .implement({
    description: 'Somebody who speaks in the recording.',
    fields: (t) => ({
      id: t.exposeString('id', { description: 'Id within the job, such as `0`.' }),
      label: t.string({
        description: 'Name to show, such as `Speaker 1`.',
        resolve: ({ id }) => (/^\d+$/.test(id) ? `Speaker ${Number(id) + 1}` : id),
      }),
      totalMs: t.int({
        complexity: 1,
        description: 'Milliseconds of speech over the whole recording.',
        resolve: async ({ id, jobId, totalMs }, _args, { loaders }) =>
          totalMs ?? (await loaders.speech.load(jobId)).get(id) ?? 0,
      }),
    }),
  });

const WordRef = builder.objectRef<Word>('Word').implement({
  description: 'One word with its time.',
  fields: (t) => ({
    startMs: t.exposeInt('startMs', { description: 'Start, milliseconds from the start of the recording.' }),
    endMs: t.exposeInt('endMs', { description: 'End, milliseconds from the start of the recording.' }),
    text: t.exposeString('text', { description: 'The word.' }),
    confidence: t.exposeFloat('confidence', { nullable: true, description: '0 to 1, when known.' }),
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
  description: 'A stretch of transcript. A stored segment never changes.',
  fields: (t) => ({
    index: t.exposeInt('index', { description: 'From 0 up, without a gap.' }),
    startMs: t.exposeInt('startMs', { description: 'Start, milliseconds from the start of the recording.' }),
    endMs: t.exposeInt('endMs', { description: 'End, milliseconds from the start of the recording.' }),
    text: t.exposeString('text', { description: 'What was said.' }),
    speaker: t.field({
      type: SpeakerRef,
      nullable: true,
      description: 'Who said it; null when speakers were not told apart.',
      resolve: ({ jobId, speaker }) => (speaker === null ? null : { id: speaker, jobId }),
    }),
    confidence: t.exposeFloat('confidence', { nullable: true, description: '0 to 1, when known.' }),
    isFinal: t.boolean({ description: 'Whether it stays as it is; true today.', resolve: () => true }),
    words: t.field({
      type: [WordRef],
      nullable: true,
      complexity: { field: 1, multiplier: 1 },
      description: 'Its words with times; null unless `timestamps: WORD` was asked for.',
      resolve: ({ words }) => (words === null ? null : [...words]),
    }),
  }),
});
