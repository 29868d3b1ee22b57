/** A word with its place in the recording. */
export interface Word {
  /** Milliseconds from the start of the recording. */
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
  /** 0 to 1. */
  readonly confidence: number | null;
}

/**
 * A stretch of transcript. Segments of a job are numbered from 0 without a gap, in order of
 * `startMs`, and never overlap; a stored segment never changes.
 */
export interface Segment {
  readonly index: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
  /** Speaker id within the job, such as `0`; null when not diarized. */
  readonly speaker: string | null;
  /** 0 to 1. */
  readonly confidence: number | null;
  readonly words: readonly Word[] | null;
}

/**
 * Where the next attempt continues: everything before `checkpointMs` is transcribed and stored as
 * the first `segmentCount` segments of this `generation`.
 */
export interface Checkpoint {
  /** Rises when a transcript starts over, so that cursors of the former one are recognized. */
  readonly generation: number;
  readonly segmentCount: number;
  /** Milliseconds of audio done. */
  readonly checkpointMs: number;
  /** The requested or detected language, once known; later attempts keep it. */
  readonly language: string | null;
}

/** The whole text: segments joined by one space, trimmed. */
export function textOf(segments: readonly Pick<Segment, 'text'>[]): string {
  return segments
    .map((segment) => segment.text.trim())
    .filter((text) => text !== '')
    .join(' ');
}

/** The label of a speaker in exports: engines count from 0, people from 1. */
export function speakerLabel(speaker: string): string {
  return /^\d{1,9}$/.test(speaker) ? `Speaker ${Number(speaker) + 1}` : `Speaker ${speaker}`;
}
