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
  const best: { cost: number; end: number }[] = [];
  best[units.length] = { cost: 0, end: units.length };
  for (let start = units.length - 1; start >= 0; start -= 1) {
    best[start] = cheapestEnd(units, start, best, rules);
  }
  const captions: CaptionLine[][] = [];
  for (let start = 0; start < units.length; ) {
    const end = best[start]?.end ?? units.length;
    captions.push(toLines(units.slice(start, end), rules.maxCharsPerLine));
    start = end;
  }
  return captions;
}

function cheapestEnd(
  units: readonly CaptionUnit[],
  start: number,
  best: readonly { readonly cost: number }[],
  rules: LineRules,
): { cost: number; end: number } {
  let cheapest = { cost: Number.POSITIVE_INFINITY, end: start + 1 };
  for (const end of endsThatFit(units, start, rules)) {
    const cost = COSTS.caption + endCost(units, start, end, rules) + (best[end]?.cost ?? 0);
    if (cost <= cheapest.cost) cheapest = { cost, end };
  }
  return cheapest;
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

function endCost(units: readonly CaptionUnit[], start: number, end: number, { minCueMs }: LineRules): number {
  const [first, last, next] = [units[start], units[end - 1], units[end]];
  if (first === undefined || last === undefined || next === undefined) return 0;
  if (!last.spoken) return COSTS.afterName;
  const flash = last.endMs - first.startMs < minCueMs ? COSTS.flash : 0;
  return flash + placeCost(last, next);
}

function placeCost(last: CaptionUnit, next: CaptionUnit): number {
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
