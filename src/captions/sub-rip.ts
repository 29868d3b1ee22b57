import { clock } from './caption-clock.ts';
import { type CaptionLine, lineText } from './caption-lines.ts';
import type { CaptionUnit } from './caption-text.ts';
import type { Cue } from './cue-queue.ts';
import { directed } from './text-direction.ts';

/** What players take for tags and for the arrow of a time line, and what is shown instead. */
const LOOKALIKES: Readonly<Record<string, string>> = { '<': '‹', '>': '›', '{': '(', '}': ')' };
/** Escapes of the ASS format, into which players convert SubRip, and entities, which some decode. */
const ESCAPES = /\\|&(?=#?\w+;)/gu;
const WORD_JOINER = '\u2060';

/** One caption of a file; with `highlightWords` a cue becomes several. */
interface Frame {
  readonly startMs: number;
  readonly endMs: number;
  /** Underlined. */
  readonly word: CaptionUnit | null;
}

/**
 * Writes cues as SubRip, which has no standard; this is what ffmpeg, VLC and YouTube read: counters from 1, a comma
 * in times. The format has no escapes either, so characters that players interpret are replaced by lookalikes.
 */
export class SubRipWriter {
  readonly #highlightWords: boolean;
  #count = 0;

  constructor(highlightWords: boolean) {
    this.#highlightWords = highlightWords;
  }

  *write(cues: Iterable<Cue>): Generator<string> {
    for (const cue of cues) {
      const frames = this.#highlightWords ? highlighted(cue) : [{ ...cue, word: null }];
      for (const { startMs, endMs, word } of frames) {
        this.#count += 1;
        const text = cue.lines.map((line) => writeLine(line, cue.rightToLeft, word)).join('\n');
        yield `${this.#count}\n${clock(startMs, ',')} --> ${clock(endMs, ',')}\n${text}\n\n`;
      }
    }
  }
}

function writeLine(line: CaptionLine, rightToLeft: boolean, word: CaptionUnit | null): string {
  const text = lineText(line, (unit) =>
    unit === word ? `<u>${visible(unit.text)}</u>` : visible(unit.text),
  );
  return directed(text, lineText(line), rightToLeft);
}

function visible(text: string): string {
  return text.replace(/[<>{}]/g, (mark) => LOOKALIKES[mark] ?? mark).replace(ESCAPES, `$&${WORD_JOINER}`);
}

/**
 * A cue once for each of its words, underlined while it is spoken, and once for each pause. Not so from right to left:
 * libass lays out the text on each side of a tag by itself, so that words would change places.
 */
function* highlighted(cue: Cue): Generator<Frame> {
  let shownMs = cue.startMs;
  for (const word of cue.wordTimes && !cue.rightToLeft ? cue.lines.flat() : []) {
    const startMs = Math.max(word.startMs, shownMs);
    const endMs = Math.min(word.endMs, cue.endMs);
    if (!word.spoken || endMs <= startMs) continue;
    if (startMs > shownMs) yield { startMs: shownMs, endMs: startMs, word: null };
    yield { startMs, endMs, word };
    shownMs = endMs;
  }
  if (shownMs < cue.endMs) yield { startMs: shownMs, endMs: cue.endMs, word: null };
}
