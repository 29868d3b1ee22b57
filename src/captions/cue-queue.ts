import { type Segment, speakerLabel } from '../domain/transcript.ts';
import { type CaptionLine, captionWidth, toCaptions } from './caption-lines.ts';
import { type CaptionRules, captionRules } from './caption-rules.ts';
import { type CaptionUnit, captionUnits, onOneLine } from './caption-text.ts';
import type { ExportOptions } from './export-options.ts';
import { isRightToLeft, scriptOf } from './text-script.ts';

/** What is shown at once. */
export interface Cue {
  readonly startMs: number;
  readonly endMs: number;
  readonly speaker: string | null;
  readonly lines: readonly CaptionLine[];
  readonly rightToLeft: boolean;
  /** True when the units' times come from words, not from a guess. */
  readonly wordTimes: boolean;
}

const RIGHT_TO_LEFT_MARK = '\u200f';

/** A cue at the time of its speech, not yet made to fit its neighbours. */
interface Draft extends Cue {
  readonly rules: CaptionRules;
  /** How long its text takes to read. */
  readonly readMs: number;
}

export interface CueOptions {
  readonly options: ExportOptions;
  /** BCP 47. */
  readonly language: string | null;
  /** Puts "Speaker 1:" in front of each segment that has a speaker. */
  readonly namePrefix: boolean;
}

/**
 * Turns segments, given in order of their start, into cues. Cues come in order, end after they begin and never
 * overlap. A cue is held back until the start of the next segment is known: its end depends on that.
 *
 * A cue begins where its segment or its words do. It begins later only where segments overlap and the cue before
 * it needs the time to be read.
 */
export class CueQueue {
  readonly #options: CueOptions;
  /** Waits for the start of its successor. */
  #segment: Segment | null = null;
  /** In order of their start. */
  #drafts: Draft[] = [];
  #freeFromMs = 0;

  constructor(options: CueOptions) {
    this.#options = options;
  }

  *push(segments: Iterable<Segment>): Generator<Cue> {
    for (const segment of segments) {
      if (onOneLine(segment.text) === '') continue;
      this.#draft(segment.startMs);
      this.#segment = segment;
      yield* this.#release(segment.startMs);
    }
  }

  /** The last cues; call once, after the last segment. */
  *end(): Generator<Cue> {
    this.#draft(Number.POSITIVE_INFINITY);
    yield* this.#release(Number.POSITIVE_INFINITY);
  }

  #draft(nextStartMs: number): void {
    if (this.#segment === null) return;
    this.#drafts.push(...draftsOf(this.#segment, nextStartMs, this.#options));
    this.#drafts.sort((a, b) => a.startMs - b.startMs);
    this.#segment = null;
  }

  *#release(knownUntilMs: number): Generator<Cue> {
    for (let draft = this.#drafts[0]; draft !== undefined; draft = this.#drafts[0]) {
      if (draft.startMs > knownUntilMs) return;
      this.#drafts.shift();
      const startMs = Math.max(draft.startMs, this.#freeFromMs);
      this.#freeFromMs = startMs + timeNeeded(draft, startMs);
      const nextMs = Math.min(this.#drafts[0]?.startMs ?? knownUntilMs, knownUntilMs);
      yield { ...draft, startMs, endMs: endOf(draft, startMs, Math.max(nextMs, this.#freeFromMs)) };
    }
  }
}

/** How long a cue keeps its successor waiting: never longer than its speech, and less the later it is. */
function timeNeeded({ startMs, endMs, readMs, rules }: Draft, shownFromMs: number): number {
  const toRead = Math.max(rules.minCueMs, readMs - (shownFromMs - startMs));
  return Math.max(1, Math.min(endMs - startMs, toRead));
}

function endOf({ endMs: spokenMs, readMs, rules }: Draft, startMs: number, nextMs: number): number {
  const { minCueMs, maxCueMs, lingerMs, minGapMs, closeGapsBelowMs } = rules;
  const toReadMs = Math.min(startMs + readMs, spokenMs + lingerMs);
  const wantedMs = Math.min(Math.max(spokenMs, toReadMs, startMs + minCueMs), startMs + maxCueMs);
  const latestMs = Math.max(nextMs - minGapMs, Math.min(nextMs, startMs + minCueMs));
  return nextMs - wantedMs < closeGapsBelowMs
    ? Math.min(latestMs, startMs + maxCueMs)
    : Math.min(latestMs, wantedMs);
}

function draftsOf(
  segment: Segment,
  nextStartMs: number,
  { options, language, namePrefix }: CueOptions,
): Draft[] {
  const rules = captionRules(options, scriptOf(segment.text, language));
  const spoken = captionUnits(segment, rules);
  if (spoken.length === 0) return [];
  const named = namePrefix && segment.speaker !== null;
  const captions = named ? namedCaptions(segment, spoken, rules, nextStartMs) : toCaptions(spoken, rules);
  const times = timesOf(segment, captions, rules, nextStartMs);
  const rightToLeft = isRightToLeft(segment.text);
  const wordTimes = segment.words !== null && segment.words.length > 0;
  return captions.map((lines, index) => ({
    ...(times[index] ?? segment),
    speaker: segment.speaker,
    lines,
    rightToLeft,
    wordTimes,
    rules,
    readMs: Math.round((captionWidth(lines) / rules.charsPerSecond) * 1_000),
  }));
}

/** The speaker's name in front of the first caption, and of each where somebody else speaks in between. */
function namedCaptions(
  segment: Segment,
  spoken: readonly CaptionUnit[],
  rules: CaptionRules,
  nextStartMs: number,
): CaptionLine[][] {
  const name = nameOf(segment, rules);
  if (segment.endMs <= nextStartMs) return toCaptions([...name, ...spoken], rules);
  const captions: CaptionLine[][] = [];
  // Two captions ahead, if each unit were one character, are enough to choose where one ends.
  const ahead = 2 * rules.maxCharsPerLine * rules.maxLines;
  for (let said = 0; said < spoken.length; ) {
    const rest = spoken.slice(said, said + ahead);
    const atMs = rest[0]?.startMs ?? segment.startMs;
    const named = [...name.map((unit) => ({ ...unit, startMs: atMs, endMs: atMs })), ...rest];
    for (const caption of toCaptions(named, rules)) {
      captions.push(caption);
      const count = caption.flat().filter((unit) => unit.spoken).length;
      said += count;
      if (count > 0) break;
    }
  }
  return captions;
}

function nameOf({ speaker, text, startMs }: Segment, rules: CaptionRules): CaptionUnit[] {
  if (speaker === null) return [];
  // Without the mark a number that follows would join the name.
  const name = `${speakerLabel(speaker)}:${isRightToLeft(text) ? RIGHT_TO_LEFT_MARK : ''}`;
  const units = captionUnits({ text: name, words: null, startMs, endMs: startMs }, rules);
  return units.map((unit) => ({ ...unit, spoken: false }));
}

/**
 * Times of a segment's captions: where its words are, moved as little as the shortest time of a caption asks for.
 * A segment too short for its captions takes from the time before the next one.
 */
function timesOf(
  segment: Segment,
  captions: readonly (readonly CaptionLine[])[],
  { minCueMs }: CaptionRules,
  nextStartMs: number,
): { readonly startMs: number; readonly endMs: number }[] {
  const count = captions.length;
  const firstMs = segment.startMs;
  const roomMs = count === 1 ? 0 : Math.min(nextStartMs, firstMs + count * minCueMs);
  const lastMs = Math.max(segment.endMs, roomMs, firstMs + count);
  const shortestMs = Math.min(minCueMs, Math.floor((lastMs - firstMs) / count));

  const starts = [firstMs];
  for (let index = 1; index < count; index += 1) {
    const earliestMs = (starts[index - 1] ?? firstMs) + shortestMs;
    const latestMs = lastMs - (count - index) * shortestMs;
    const spokenMs = captions[index]?.[0]?.[0]?.startMs ?? earliestMs;
    starts.push(Math.min(Math.max(spokenMs, earliestMs), latestMs));
  }
  return starts.map((startMs, index) => {
    const nextMs = starts[index + 1];
    if (nextMs === undefined) return { startMs, endMs: lastMs };
    const spokenMs = captions[index]?.at(-1)?.at(-1)?.endMs ?? nextMs;
    return { startMs, endMs: Math.min(Math.max(spokenMs, startMs + shortestMs), nextMs) };
  });
}
