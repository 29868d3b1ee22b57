import { type Segment, speakerLabel } from '../domain/transcript.ts';
import { type CaptionUnit, captionUnits } from './caption-text.ts';

/** What is shown at once. */
export interface Cue {
  readonly startMs: number;
  readonly endMs: number;
  readonly speaker: string | null;
  readonly lines: readonly (readonly CaptionUnit[])[];
  /** True when the units' times come from words, not from a guess. */
  readonly wordTimes: boolean;
}

export interface CaptionLimits {
  /** Graphemes. */
  readonly maxCharsPerLine: number;
  readonly maxLines: number;
  /** Puts "Speaker 1:" in front of each segment that has a speaker. */
  readonly namePrefix: boolean;
}

/** A cue is shown at least this long where its segment has the time. */
const MIN_CUE_MS = 500;

/**
 * Segments as cues that fit their lines, in order. A cue ends after it begins and before the next begins,
 * and stays within its segment; only a segment with fewer milliseconds than cues runs past its end.
 *
 * @param place Where the cues before these ended, in ms; moved on, so that segments can come page by page.
 */
export function* toCues(
  segments: Iterable<Segment>,
  limits: CaptionLimits,
  place: { endMs: number } = { endMs: 0 },
): Generator<Cue> {
  for (const segment of segments) {
    for (const cue of cuesOf(segment, limits, place.endMs)) {
      place.endMs = cue.endMs;
      yield cue;
    }
  }
}

function cuesOf(segment: Segment, limits: CaptionLimits, notBeforeMs: number): Cue[] {
  const spoken = captionUnits(segment, limits.maxCharsPerLine);
  if (spoken.length === 0) return [];
  const prefix = limits.namePrefix ? prefixOf(segment, limits.maxCharsPerLine) : [];
  const lines = toLines([...prefix, ...spoken], limits.maxCharsPerLine);
  const groups: CaptionUnit[][][] = [];
  for (let index = 0; index < lines.length; index += limits.maxLines) {
    groups.push(lines.slice(index, index + limits.maxLines));
  }
  const times = settle(segment, groups, notBeforeMs);
  const wordTimes = segment.words !== null && segment.words.length > 0;
  return groups.map((group, index) => ({
    ...(times[index] ?? segment),
    speaker: segment.speaker,
    lines: group,
    wordTimes,
  }));
}

function prefixOf(segment: Segment, maxWidth: number): CaptionUnit[] {
  if (segment.speaker === null) return [];
  const name = { text: `${speakerLabel(segment.speaker)}:`, words: null };
  const { startMs } = segment;
  return captionUnits({ ...name, startMs, endMs: startMs }, maxWidth).map((unit) => ({
    ...unit,
    spoken: false,
  }));
}

function toLines(units: readonly CaptionUnit[], maxWidth: number): CaptionUnit[][] {
  const lines: CaptionUnit[][] = [];
  let line: CaptionUnit[] = [];
  let width = 0;
  for (const unit of units) {
    const added = (unit.glued ? 0 : 1) + unit.width;
    if (line.length === 0 || width + added > maxWidth) {
      line = [unit];
      lines.push(line);
      width = unit.width;
    } else {
      line.push(unit);
      width += added;
    }
  }
  return lines;
}

/** Times of a segment's cues: where its words are, moved as little as their task and length ask for. */
function settle(
  segment: Segment,
  groups: readonly (readonly (readonly CaptionUnit[])[])[],
  notBeforeMs: number,
): { readonly startMs: number; readonly endMs: number }[] {
  const count = groups.length;
  const firstMs = Math.max(segment.startMs, notBeforeMs);
  const lastMs = Math.max(segment.endMs, firstMs + count);
  const shortestMs = Math.min(MIN_CUE_MS, Math.floor((lastMs - firstMs) / count));

  const starts = [firstMs];
  for (let index = 1; index < count; index += 1) {
    const earliestMs = (starts[index - 1] ?? firstMs) + shortestMs;
    const latestMs = lastMs - (count - index) * shortestMs;
    const spokenMs = groups[index]?.[0]?.[0]?.startMs ?? earliestMs;
    starts.push(Math.min(Math.max(spokenMs, earliestMs), latestMs));
  }
  return starts.map((startMs, index) => {
    const nextMs = starts[index + 1];
    if (nextMs === undefined) return { startMs, endMs: lastMs };
    const spokenMs = groups[index]?.at(-1)?.at(-1)?.endMs ?? nextMs;
    return { startMs, endMs: Math.min(Math.max(spokenMs, startMs + shortestMs), nextMs) };
  });
}

/** A line's text, each unit passed through `write`. */
export function lineText(
  line: readonly CaptionUnit[],
  write: (unit: CaptionUnit) => string = (unit) => unit.text,
): string {
  return line.map((unit, index) => (index === 0 || unit.glued ? write(unit) : ` ${write(unit)}`)).join('');
}
