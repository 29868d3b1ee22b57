/** Scripts that have caption rules of their own; `ALPHABETIC` stands for all others. */
export const SCRIPTS = ['ALPHABETIC', 'CHINESE', 'JAPANESE', 'KOREAN', 'THAI'] as const;
export type Script = (typeof SCRIPTS)[number];

const LETTER = /\p{L}/gu;
const THAI = /\p{Script=Thai}/gu;
const HANGUL = /\p{Script=Hangul}/gu;
const KANA = /[\p{Script=Hiragana}\p{Script=Katakana}]/u;
/** Two columns wide; source: Unicode Standard Annex 11, East Asian Wide and Fullwidth, without emoji. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}\p{Script=Yi}\u3000-\u303e\u30fb\u30fc\uff01-\uff60\uffe0-\uffe6]/u;
const HALFWIDTH = /[\uff61-\uffdc]/u;
const WIDE_LETTER = new RegExp(`(?=\\p{L})${WIDE.source}`, 'gu');

const RIGHT_TO_LEFT =
  /(?=\p{L})[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Samaritan}\p{Script=Mandaic}\p{Script=Adlam}\p{Script=Hanifi_Rohingya}\p{Script=Yezidi}]/u;

/** The script of more than half of the letters. `language`, a BCP 47 tag, decides where kanji could be Chinese. */
export function scriptOf(text: string, language: string | null): Script {
  const letters = countOf(text, LETTER);
  if (countOf(text, THAI) * 2 > letters) return 'THAI';
  const wide = countOf(text, WIDE_LETTER);
  if (wide * 2 <= letters) return 'ALPHABETIC';
  if (countOf(text, HANGUL) * 2 > wide) return 'KOREAN';
  return KANA.test(text) || /^ja\b/i.test(language ?? '') ? 'JAPANESE' : 'CHINESE';
}

/** Whether a grapheme takes the place of two Latin letters. */
export function isWide(grapheme: string): boolean {
  return WIDE.test(grapheme) && !HALFWIDTH.test(grapheme);
}

export function hasRightToLeft(text: string): boolean {
  return RIGHT_TO_LEFT.test(text);
}

/** Whether at least half of the words with letters are of right-to-left scripts: names in Latin don't count double. */
export function isRightToLeft(text: string): boolean {
  if (!hasRightToLeft(text)) return false;
  const words = text.split(/\s+/u).filter((word) => /\p{L}/u.test(word));
  return words.filter(hasRightToLeft).length * 2 >= words.length;
}

function countOf(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}
