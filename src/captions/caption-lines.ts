import type { CaptionRules } from './caption-rules.ts';
import { type CaptionUnit, isUnspaced } from './caption-text.ts';

export type CaptionLine = readonly CaptionUnit[];

type LineRules = Pick<CaptionRules, 'maxCharsPerLine' | 'maxLines' | 'minCueMs' | 'maxCueMs'>;

const SENTENCE_END = /[.!?…。！？｡؟۔।॥።။។]["'»”’」』）)\]]*$/u;
const CLAUSE_END = /[,;:–—،؛、，；：፣၊]["'»”’」』）)\]]*$/u;
/** As good a place as the end of a sentence, in texts without punctuation too. */
const PAUSE_MS = 600;

/** What a place to end a caption costs: few captions first, then ends that a reader expects. */
const COSTS = { caption: 3, sentence: 0, clause: 1, word: 2, insideWord: 4, afterName: 8, flash: 1 } as const;

/**
 * Units as captions, each some lines: as few as their lines and the longest time allow, ended after a sentence
 * where that costs no caption more, else after a clause, else after a word. Lines are filled in reading order.
 */
export function toCaptions(units: readonly CaptionUnit[], rules: LineRules): CaptionLine[][] {
  const places = units.map((unit, index) => placeCost(unit, units[index + 1]));
  const best: { cost: number; end: number }[] = [];
  for (let start = units.length - 1; start >= 0; start -= 1) {
    let cheapest = { cost: Number.POSITIVE_INFINITY, end: start + 1 };
    for (const end of endsThatFit(units, start, rules)) {
      const flash = isFlash(units, start, end, rules) ? COSTS.flash : 0;
      const cost = COSTS.caption + flash + (places[end - 1] ?? 0) + (best[end]?.cost ?? 0);
      if (cost <= cheapest.cost) cheapest = { cost, end };
    }
    best[start] = cheapest;
  }
  const captions: CaptionLine[][] = [];
  for (let start = 0; start < units.length; ) {
    const end = best[start]?.end ?? units.length;
    captions.push(toLines(units.slice(start, end), rules.maxCharsPerLine));
    start = end;
  }
  return captions;
}

/** Where a caption may end that begins at `start`; one unit always fits. */
function* endsThatFit(
  units: readonly CaptionUnit[],
  start: number,
  { maxCharsPerLine, maxLines, maxCueMs }: LineRules,
): Generator<number> {
  const beginsMs = units[start]?.startMs ?? 0;
  let lines = 1;
  let width = 0;
  for (let index = start; index < units.length; index += 1) {
    const unit = units[index];
    if (unit === undefined) return;
    const longer = width + (unit.glued ? 0 : 1) + unit.width;
    if (index > start && longer > maxCharsPerLine) lines += 1;
    width = index === start || longer > maxCharsPerLine ? unit.width : longer;
    if (index > start && (lines > maxLines || unit.endMs - beginsMs > maxCueMs)) return;
    yield index + 1;
  }
}

/** Whether a caption is spoken in less than the shortest time, and more of the segment follows. */
function isFlash(
  units: readonly CaptionUnit[],
  start: number,
  end: number,
  { minCueMs }: LineRules,
): boolean {
  const [first, last] = [units[start], units[end - 1]];
  if (first === undefined || last === undefined || end === units.length) return false;
  return last.spoken && last.endMs - first.startMs < minCueMs;
}

function placeCost(last: CaptionUnit, next: CaptionUnit | undefined): number {
  if (next === undefined) return 0;
  if (!last.spoken) return COSTS.afterName;
  if (SENTENCE_END.test(last.text) || next.startMs - last.endMs >= PAUSE_MS) return COSTS.sentence;
  if (CLAUSE_END.test(last.text)) return COSTS.clause;
  if (next.glued) return isUnspaced(last.text + next.text) ? COSTS.word : COSTS.insideWord;
  // Scripts without spaces between words put one where others have a comma.
  return isUnspaced(last.text) ? COSTS.clause : COSTS.word;
}

function toLines(units: readonly CaptionUnit[], maxWidth: number): CaptionLine[] {
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

/** A line's text, each unit passed through `write`. */
export function lineText(
  line: CaptionLine,
  write: (unit: CaptionUnit) => string = (unit) => unit.text,
): string {
  return line.map((unit, index) => (index === 0 || unit.glued ? write(unit) : ` ${write(unit)}`)).join('');
}

/** Characters of a caption, spaces among them. */
export function captionWidth(lines: readonly CaptionLine[]): number {
  const units = lines.flat();
  return units.reduce((width, unit) => width + unit.width + (unit.glued ? 0 : 1), 0);
}
