/** A token with its text's bytes, as whisper.cpp reports it; times from the start of the piece. */
export interface Token {
  readonly bytes: Buffer;
  readonly startMs: number;
  readonly endMs: number;
  readonly probability: number;
}

export interface RawSegment {
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
  readonly confidence: number | null;
  /** Null when the whisper-cli is not ours: it tells tokens only in the JSON at the end. */
  readonly tokens: readonly Token[] | null;
}

const LINE = /^\[(\d+):(\d\d):(\d\d)[.,](\d{3}) --> (\d+):(\d\d):(\d\d)[.,](\d{3})\] {2}(.*)$/s;
/** Between the text and the tokens of a line; see whisper-cli-patch.ts. */
const TOKENS_MARK = '\x1e';
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours begin with one.
const COLOUR = /\x1b\[[0-9;]*m/g;
/** The colours of `--print-colors` from the least to the most probable: steps of the probability's cube. */
const COLOURS = ['38;5;160', '38;5;166', '38;5;208', '38;5;215', '38;5;227', '38;5;114', '38;5;71'];

/** @param line A line of standard output, bytes as latin1. Null when it is no segment. */
export function readWhisperLine(line: string): RawSegment | null {
  const match = LINE.exec(line);
  if (match === null) return null;
  const [startMs, endMs] = [toMs(match.slice(1, 5)), toMs(match.slice(5, 9))];
  const [coloured = '', tokenText] = (match[9] ?? '').split(TOKENS_MARK);
  const bytes = Buffer.from(coloured.replaceAll(COLOUR, ''), 'latin1');
  const tokens = tokenText === undefined ? null : readTokens(bytes, tokenText);
  const probabilities = tokens?.map((token) => token.probability) ?? probabilitiesOfColours(coloured);
  return { startMs, endMs, text: bytes.toString('utf8').trim(), confidence: mean(probabilities), tokens };
}

export function mean(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  return round(values.reduce((sum, value) => sum + value, 0) / values.length);
}

/** Three decimals, within 0 and 1. */
export function round(value: number): number {
  return Math.round(Math.min(Math.max(value, 0), 1) * 1000) / 1000;
}

function toMs(parts: readonly string[]): number {
  const [hours = 0, minutes = 0, seconds = 0, ms = 0] = parts.map(Number);
  return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms;
}

/** `<bytes>,<from ms>,<to ms>,<probability>;` for each token. */
function readTokens(text: Buffer, list: string): readonly Token[] {
  let at = 0;
  return list
    .split(';')
    .filter((item) => item !== '')
    .map((item) => {
      const [length = 0, startMs = 0, endMs = 0, probability = 0] = item.split(',').map(Number);
      const bytes = text.subarray(at, at + length);
      at += length;
      return { bytes, startMs, endMs, probability };
    });
}

/** The middle of each colour's range: about 2 % wide for the surest, 50 % for the least sure. */
function probabilitiesOfColours(coloured: string): readonly number[] {
  const steps = coloured
    .split('\x1b[')
    .map((part) => COLOURS.indexOf(part.slice(0, part.indexOf('m'))))
    .filter((step) => step !== -1);
  return steps.map((step) => Math.cbrt((step + 0.5) / COLOURS.length));
}
