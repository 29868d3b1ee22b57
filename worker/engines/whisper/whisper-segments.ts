import type { Word } from '../../../src/domain/transcript.ts';
import type { EngineSegment } from '../engine.ts';
import { type RawSegment, round, type Token } from './whisper-output.ts';

/** `[BLANK_AUDIO]`, `(music)`, `*coughs*`, `♪`: sounds that the model names, not speech. */
const NO_SPEECH = /^(\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|[♪♫\s.…-]+)$/u;
/** Writing without spaces between words: each token is as good as a word. */
const UNSPACED =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

interface Draft {
  text: string;
  readonly startMs: number;
  endMs: number;
  probability: number | null;
}

/**
 * Makes segments of whisper.cpp's meet the obligations of an engine: in order, without overlap, within the piece
 * (whisper.cpp may set an end after the end of the audio). Null for one that is not speech.
 */
export function createSegmentFilter(durationMs: number, withWords: boolean) {
  let before = 0;
  return (raw: RawSegment): EngineSegment | null => {
    if (raw.text === '' || NO_SPEECH.test(raw.text) || raw.startMs >= durationMs) return null;
    const startMs = Math.min(Math.max(raw.startMs, before), durationMs);
    const endMs = Math.min(Math.max(raw.endMs, startMs), durationMs);
    before = endMs;
    const words = withWords ? mergeWords(raw.tokens ?? [], { startMs, endMs }) : null;
    return { startMs, endMs, text: raw.text, speaker: null, confidence: raw.confidence, words };
  };
}

/**
 * Words from tokens: a word begins at a token that begins with a space, and has the confidence of its least probable
 * token. Words lie within the segment, in order, and do not overlap.
 */
export function mergeWords(
  tokens: readonly Token[],
  segment: { readonly startMs: number; readonly endMs: number },
): readonly Word[] {
  const drafts: Draft[] = [];
  for (const token of joinCharacters(tokens)) {
    const text = token.bytes.toString('utf8');
    if (text.trim() === '') continue;
    const last = drafts.at(-1);
    if (last === undefined || text.startsWith(' ') || UNSPACED.test(text)) {
      drafts.push({ ...token, text: text.trim() });
    } else {
      last.text += text.trimEnd();
      last.endMs = token.endMs;
      last.probability = least(last.probability, token.probability);
    }
  }
  let before = segment.startMs;
  return drafts.map(({ text, probability, ...times }) => {
    const startMs = Math.min(Math.max(times.startMs, before), segment.endMs);
    const endMs = Math.min(Math.max(times.endMs, startMs), segment.endMs);
    before = endMs;
    return { startMs, endMs, text, confidence: probability === null ? null : round(probability) };
  });
}

/** Tokens may end within the bytes of a character. */
function joinCharacters(tokens: readonly Token[]): readonly Token[] {
  const joined: Token[] = [];
  for (const token of tokens) {
    const last = joined.at(-1);
    if (last === undefined || !endsWithinCharacter(last.bytes)) joined.push(token);
    else {
      const bytes = Buffer.concat([last.bytes, token.bytes]);
      const probability = least(last.probability, token.probability);
      joined[joined.length - 1] = { bytes, startMs: last.startMs, endMs: token.endMs, probability };
    }
  }
  return joined;
}

function least(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.min(a, b);
}

function endsWithinCharacter(bytes: Buffer): boolean {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return false;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2);
  }
  return false;
}
