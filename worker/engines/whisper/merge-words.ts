import type { Word } from '../../../src/domain/transcript.ts';
import { round, type Token } from './whisper-lines.ts';

/** Writing without spaces between words: each token is as good as a word. */
const UNSPACED =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;

interface Draft {
  text: string;
  readonly startMs: number;
  endMs: number;
  probability: number;
}

/**
 * Words from tokens: a word begins at a token that begins with a space. It is as sure as its least sure
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
      last.probability = Math.min(last.probability, token.probability);
    }
  }
  let before = segment.startMs;
  return drafts.map((draft) => {
    const startMs = Math.min(Math.max(draft.startMs, before), segment.endMs);
    const endMs = Math.min(Math.max(draft.endMs, startMs), segment.endMs);
    before = endMs;
    return { startMs, endMs, text: draft.text, confidence: round(draft.probability) };
  });
}

/** Tokens may end within a character's bytes. */
function joinCharacters(tokens: readonly Token[]): readonly Token[] {
  const joined: Token[] = [];
  for (const token of tokens) {
    const last = joined.at(-1);
    if (last === undefined || !endsWithinCharacter(last.bytes)) joined.push(token);
    else {
      const bytes = Buffer.concat([last.bytes, token.bytes]);
      const probability = Math.min(last.probability, token.probability);
      joined[joined.length - 1] = { bytes, startMs: last.startMs, endMs: token.endMs, probability };
    }
  }
  return joined;
}

function endsWithinCharacter(bytes: Buffer): boolean {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return false;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2);
  }
  return false;
}
