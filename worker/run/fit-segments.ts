import { MAX_INTEGER } from '../../src/contract/messages.ts';
import type { Segment, Word } from '../../src/domain/transcript.ts';
import type { EngineSegment } from '../engines/engine.ts';

export interface SegmentBounds {
  /** Where the engine's time 0 is in the recording. */
  readonly offsetMs: number;
  /** Where the piece ends in the recording; null when unknown. */
  readonly endMs: number | null;
}

/** Half of what a message may have. */
const MAX_EVENT_BYTES = 256 * 1024;
/** For the fields of an event besides its segments. */
const ENVELOPE_BYTES = 2048;

/**
 * The segment in the recording's time, in whole milliseconds, after the one before it and within its piece: segments
 * of engines may overlap or end after the audio. Null when its text is empty.
 */
export function fitSegment(
  found: EngineSegment,
  bounds: SegmentBounds & { readonly notBeforeMs: number },
): Omit<Segment, 'index'> | null {
  const text = found.text.trim();
  if (text === '') return null;
  const latest = Math.max(bounds.notBeforeMs, bounds.endMs ?? MAX_INTEGER);
  const place = (ms: number, earliest: number) =>
    Math.min(latest, Math.max(earliest, Math.round(ms + bounds.offsetMs)));
  const startMs = place(found.startMs, bounds.notBeforeMs);
  const endMs = place(found.endMs, startMs);
  return {
    startMs,
    endMs,
    text,
    speaker: found.speaker,
    confidence: inUnit(found.confidence),
    words: found.words?.map((word) => fitWord(word, bounds.offsetMs, startMs, endMs)) ?? null,
  };
}

function fitWord(word: Word, offsetMs: number, startMs: number, endMs: number): Word {
  const within = (ms: number, earliest: number) =>
    Math.min(endMs, Math.max(earliest, Math.round(ms + offsetMs)));
  const start = within(word.startMs, startMs);
  return {
    startMs: start,
    endMs: within(word.endMs, start),
    text: word.text,
    confidence: inUnit(word.confidence),
  };
}

function inUnit(value: number | null): number | null {
  return value === null || !Number.isFinite(value) ? null : Math.min(1, Math.max(0, value));
}

/** The segments in lists that each fit into one event. */
export function splitBySize(
  segments: readonly Segment[],
  maxBytes = MAX_EVENT_BYTES - ENVELOPE_BYTES,
): readonly (readonly Segment[])[] {
  const parts: Segment[][] = [];
  let part: Segment[] = [];
  let partBytes = 0;
  for (const segment of segments) {
    const bytes = Buffer.byteLength(JSON.stringify(segment)) + 1;
    if (part.length > 0 && partBytes + bytes > maxBytes) {
      parts.push(part);
      part = [];
      partBytes = 0;
    }
    part.push(bytes > maxBytes ? withoutWords(segment) : segment);
    partBytes += bytes;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}

/** With thousands of words in one segment, its text matters more than their times. */
function withoutWords(segment: Segment): Segment {
  return { ...segment, words: null };
}
