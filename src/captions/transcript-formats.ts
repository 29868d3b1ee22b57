import { type Segment, speakerLabel } from '../domain/transcript.ts';
import { type CaptionLimits, type Cue, lineText, toCues } from './caption-lines.ts';
import { type CaptionUnit, onOneLine } from './caption-text.ts';

/** File formats a transcript is exported in. */
export const TRANSCRIPT_FORMATS = ['TXT', 'SRT', 'VTT', 'JSON', 'TSV'] as const;
export type TranscriptFormat = (typeof TRANSCRIPT_FORMATS)[number];

export interface TranscriptFormatOptions {
  /** Graphemes a caption line may have; SRT and VTT only. */
  readonly maxCharsPerLine: number;
  /** Lines a caption may have; SRT and VTT only. */
  readonly maxLines: number;
  /** Names the speaker of each segment that has one; JSON always does. */
  readonly includeSpeakers: boolean;
  /** Marks each word while it is spoken; SRT and VTT, where the words' times are known. */
  readonly highlightWords: boolean;
}

/** What a format says of the transcript besides its segments. */
export interface TranscriptHead {
  readonly language: string | null;
  /** Milliseconds of audio. */
  readonly durationMs: number | null;
}

const MEDIA_TYPES: Readonly<Record<TranscriptFormat, string>> = {
  TXT: 'text/plain; charset=utf-8',
  // Never registered with IANA; this is the name that players and browsers know.
  SRT: 'application/x-subrip; charset=utf-8',
  VTT: 'text/vtt; charset=utf-8',
  JSON: 'application/json',
  TSV: 'text/tab-separated-values; charset=utf-8',
};

/** The `Content-Type` of a format; all are UTF-8. */
export function contentTypeOf(format: TranscriptFormat): string {
  return MEDIA_TYPES[format];
}

/** The extension of a format's files, without a dot. */
export function fileExtensionOf(format: TranscriptFormat): string {
  return format.toLowerCase();
}

/** A document in the making: `head`, then every segment once and in order, in as many calls as one likes, `tail`. */
export interface TranscriptWriter {
  readonly head: string;
  segments(segments: Iterable<Segment>): Generator<string>;
  readonly tail: string;
}

/**
 * Writes a transcript in a file format, page by page, so that hours of it need little memory.
 * Segments without text are left out, except in JSON.
 *
 * Captions never overlap and never last 0 ms; a segment too long for its lines becomes several.
 */
export function transcriptWriter(
  format: TranscriptFormat,
  transcript: TranscriptHead,
  options: TranscriptFormatOptions,
): TranscriptWriter {
  const place = { count: 0, endMs: 0 };
  switch (format) {
    case 'TXT':
      return { head: '', segments: (segments) => toText(segments, options), tail: '' };
    case 'SRT':
      return { head: '', segments: (segments) => toSubRip(segments, options, place), tail: '' };
    case 'VTT':
      return { head: 'WEBVTT\n\n', segments: (segments) => toWebVtt(segments, options, place), tail: '' };
    case 'JSON':
      return {
        head: jsonHead(transcript),
        segments: (segments) => toJson(segments, place),
        tail: '\n]}\n',
      };
    case 'TSV': {
      const head = options.includeSpeakers ? 'start\tend\tspeaker\ttext\n' : 'start\tend\ttext\n';
      return { head, segments: (segments) => toTabSeparated(segments, options), tail: '' };
    }
  }
}

/** How much was written: captions or segments, and where the last caption ended. */
interface Place {
  count: number;
  endMs: number;
}

function* toText(segments: Iterable<Segment>, options: TranscriptFormatOptions): Generator<string> {
  for (const { text, speaker } of segments) {
    const line = onOneLine(text);
    if (line === '') continue;
    const name = options.includeSpeakers && speaker !== null ? `${nameOf(speaker)}: ` : '';
    yield `${name}${line}\n`;
  }
}

/** SubRip has no standard; this is what ffmpeg, VLC and YouTube read: counters from 1, a comma in times. */
function* toSubRip(
  segments: Iterable<Segment>,
  options: TranscriptFormatOptions,
  place: Place,
): Generator<string> {
  for (const cue of toCues(segments, limitsOf(options, options.includeSpeakers), place)) {
    const frames = options.highlightWords ? highlighted(cue) : [{ ...cue, word: null }];
    for (const { startMs, endMs, word } of frames) {
      place.count += 1;
      const write = (unit: CaptionUnit) => (unit === word ? `<u>${unit.text}</u>` : unit.text);
      const text = cue.lines.map((line) => lineText(line, write)).join('\n');
      yield `${place.count}\n${clock(startMs, ',')} --> ${clock(endMs, ',')}\n${text}\n\n`;
    }
  }
}

/** A cue once for each of its words, underlined while it is spoken, and once for each pause. */
function* highlighted(
  cue: Cue,
): Generator<{ readonly startMs: number; readonly endMs: number; readonly word: CaptionUnit | null }> {
  let shownMs = cue.startMs;
  for (const word of cue.wordTimes ? cue.lines.flat() : []) {
    const startMs = Math.max(word.startMs, shownMs);
    const endMs = Math.min(word.endMs, cue.endMs);
    if (!word.spoken || endMs <= startMs) continue;
    if (startMs > shownMs) yield { startMs: shownMs, endMs: startMs, word: null };
    yield { startMs, endMs, word };
    shownMs = endMs;
  }
  if (shownMs < cue.endMs) yield { startMs: shownMs, endMs: cue.endMs, word: null };
}

/** Source: W3C, "WebVTT: The Web Video Text Tracks Format", sections 4.1 and 4.2. */
function* toWebVtt(
  segments: Iterable<Segment>,
  options: TranscriptFormatOptions,
  place: Place,
): Generator<string> {
  for (const cue of toCues(segments, limitsOf(options, false), place)) {
    const write = options.highlightWords && cue.wordTimes ? markedWords(cue) : plainWord;
    const text = cue.lines.map((line) => lineText(line, write)).join('\n');
    const voiced =
      options.includeSpeakers && cue.speaker !== null
        ? `<v ${escapeMarkup(nameOf(cue.speaker))}>${text}</v>`
        : text;
    yield `${clock(cue.startMs, '.')} --> ${clock(cue.endMs, '.')}\n${voiced}\n\n`;
  }
}

const plainWord = (unit: CaptionUnit): string => escapeMarkup(unit.text);

/** Each word after its timestamp; these must increase and lie strictly within the cue. */
function markedWords(cue: Cue): (unit: CaptionUnit) => string {
  let lastMs = cue.startMs;
  return (unit) => {
    const word = `<c>${escapeMarkup(unit.text)}</c>`;
    if (unit.startMs <= lastMs || unit.startMs >= cue.endMs) return word;
    lastMs = unit.startMs;
    return `<${clock(unit.startMs, '.')}>${word}`;
  };
}

/** Also keeps `-->` out of the text, which would end the cue. */
function escapeMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function jsonHead({ language, durationMs }: TranscriptHead): string {
  return `{"language":${JSON.stringify(language)},"durationMs":${JSON.stringify(durationMs)},"segments":[`;
}

function* toJson(segments: Iterable<Segment>, place: Place): Generator<string> {
  for (const segment of segments) {
    const { index, startMs, endMs, text, speaker, confidence, words } = segment;
    const separator = place.count === 0 ? '\n' : ',\n';
    place.count += 1;
    yield separator + JSON.stringify({ index, startMs, endMs, text, speaker, confidence, words });
  }
}

function* toTabSeparated(segments: Iterable<Segment>, options: TranscriptFormatOptions): Generator<string> {
  for (const { startMs, endMs, text, speaker } of segments) {
    const line = onOneLine(text);
    if (line === '') continue;
    const name = speaker === null ? '' : nameOf(speaker);
    yield `${startMs}\t${endMs}\t${options.includeSpeakers ? `${name}\t` : ''}${line}\n`;
  }
}

const nameOf = (speaker: string): string => onOneLine(speakerLabel(speaker));

function limitsOf(options: TranscriptFormatOptions, namePrefix: boolean): CaptionLimits {
  return { maxCharsPerLine: options.maxCharsPerLine, maxLines: options.maxLines, namePrefix };
}

function clock(timeMs: number, point: ',' | '.'): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  const [hours, minutes, seconds] = [timeMs / 3_600_000, (timeMs / 60_000) % 60, (timeMs / 1_000) % 60];
  const milliseconds = String(timeMs % 1_000).padStart(3, '0');
  return `${two(hours)}:${two(minutes)}:${two(seconds)}${point}${milliseconds}`;
}
