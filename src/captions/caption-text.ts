import type { Segment } from '../domain/transcript.ts';
import type { CaptionRules } from './caption-rules.ts';
import { isWide } from './text-script.ts';
import { timesAlong } from './word-times.ts';

/** A piece of caption text that stays on one line, with the time it is spoken. */
export interface CaptionUnit {
  readonly text: string;
  /** Characters, as `CaptionRules.maxCharsPerLine` counts them. */
  readonly width: number;
  /** True when no space stands before it, on the same line. */
  readonly glued: boolean;
  /** False for what captions add, such as a speaker's name. */
  readonly spoken: boolean;
  readonly startMs: number;
  readonly endMs: number;
}

type WidthRules = Pick<CaptionRules, 'maxCharsPerLine' | 'wideWidth'>;

/** The segmenters' time grows with the square of what they are given. */
const BLOCK = 1_000;

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
const words = new Intl.Segmenter('en', { granularity: 'word' });

const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;
/** No-break spaces hold a word together ("10 km", "Bonjour !"), so they are not where it ends. */
const BREAKING_SPACE = /[^\S\u00a0\u2007\u202f\ufeff]+/u;
const CONTROL_CHARACTERS = /[\p{Cc}\u2028\u2029]+/gu;
const HIGH_SURROGATE = /[\ud800-\udbff]/;
const INVISIBLE = /^\p{Default_Ignorable_Code_Point}+$/u;
/** Embeddings, overrides and isolates: one that the text leaves open would reach beyond its line. */
const DIRECTIONS = /[\u202a-\u202e\u2066-\u2069]/g;
/** Scripts that put no space between words: a line may end after any word. */
const UNSPACED_SCRIPT =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}]/u;
const OPENING_PUNCTUATION = /^[\p{Ps}\p{Pi}]/u;

/** Graphemes of a text (source: Unicode Standard Annex 29), wide ones as `wideWidth`, invisible ones as 0. */
function widthOf(text: string, wideWidth: 1 | 2): number {
  if (PRINTABLE_ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of segmentsOf(text, graphemes)) width += graphemeWidth(segment, wideWidth);
  return width;
}

function graphemeWidth(grapheme: string, wideWidth: 1 | 2): number {
  if (INVISIBLE.test(grapheme)) return 0;
  return isWide(grapheme) ? wideWidth : 1;
}

function* segmentsOf(text: string, segmenter: Intl.Segmenter): Generator<Intl.SegmentData> {
  for (let start = 0; start < text.length; ) {
    const end = start + BLOCK + (HIGH_SURROGATE.test(text.charAt(start + BLOCK - 1)) ? 1 : 0);
    const segments = [...segmenter.segment(text.slice(start, end))];
    // The last one may go on in the next block.
    if (end < text.length && segments.length > 1) segments.pop();
    for (const data of segments) {
      yield data;
      start += data.segment.length;
    }
  }
}

/** The text on one line: control characters and runs of space become one space, none at the ends. */
export function onOneLine(text: string): string {
  return chunksOf(text).join(' ');
}

/** Whether words of this text follow each other without a space. */
export function isUnspaced(text: string): boolean {
  return UNSPACED_SCRIPT.test(text);
}

function chunksOf(text: string): string[] {
  return text
    .replace(CONTROL_CHARACTERS, ' ')
    .split(BREAKING_SPACE)
    .filter((chunk) => chunk !== '');
}

/**
 * A segment's text as units that fit a line. A unit is what stands between two spaces; it is divided only
 * where its script has no spaces, or when no line could hold it: then between words, and inside a word as
 * the last resort.
 */
export function captionUnits(
  segment: Pick<Segment, 'startMs' | 'endMs' | 'text' | 'words'>,
  rules: WidthRules,
): CaptionUnit[] {
  const chunks = chunksOf(segment.text.replace(DIRECTIONS, ''));
  const times = timesAlong(segment, chunks);
  const units: CaptionUnit[] = [];
  let offset = 0;
  for (const chunk of chunks) {
    piecesOf(chunk, rules).forEach((text, index) => {
      units.push({
        text,
        width: widthOf(text, rules.wideWidth),
        glued: index > 0,
        spoken: true,
        startMs: times.startAt(offset),
        endMs: times.endAt(offset + text.length),
      });
      offset += text.length;
    });
  }
  return units;
}

function piecesOf(chunk: string, rules: WidthRules): string[] {
  const fits = widthOf(chunk, rules.wideWidth) <= rules.maxCharsPerLine;
  if (fits && !UNSPACED_SCRIPT.test(chunk)) return [chunk];
  return wordsWithPunctuation(chunk).flatMap((piece) => hardPieces(piece, rules));
}

/** Punctuation stays with the word it follows, an opening bracket with the one it precedes. */
function wordsWithPunctuation(chunk: string): string[] {
  const pieces: string[] = [];
  let opened = false;
  for (const { segment: text, isWordLike } of segmentsOf(chunk, words)) {
    const opens = !isWordLike && OPENING_PUNCTUATION.test(text);
    const last = pieces.length - 1;
    if (last >= 0 && (opened || !(isWordLike || opens))) pieces[last] += text;
    else pieces.push(text);
    opened = opens;
  }
  return pieces;
}

function hardPieces(piece: string, { maxCharsPerLine, wideWidth }: WidthRules): string[] {
  if (widthOf(piece, wideWidth) <= maxCharsPerLine) return [piece];
  const pieces: string[] = [];
  let text = '';
  let width = 0;
  for (const { segment: grapheme } of segmentsOf(piece, graphemes)) {
    const added = graphemeWidth(grapheme, wideWidth);
    if (width + added > maxCharsPerLine) {
      pieces.push(text);
      text = '';
      width = 0;
    }
    text += grapheme;
    width += added;
  }
  pieces.push(text);
  return pieces;
}
