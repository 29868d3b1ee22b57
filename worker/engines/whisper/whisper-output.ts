import { z } from 'zod';

/** A token with the bytes of its text; times from the start of the piece. */
export interface Token {
  readonly bytes: Buffer;
  readonly startMs: number;
  readonly endMs: number;
  /** Null from the prebuilt engine. */
  readonly probability: number | null;
}

export interface RawSegment {
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
  readonly confidence: number | null;
  /** Null in a line of a whisper-cli that is not ours: it has the tokens only in the JSON file at the end. */
  readonly tokens: readonly Token[] | null;
}

export interface WhisperDocument {
  readonly language: string;
  readonly segments: readonly RawSegment[];
}

const LINE = /^\[(\d+):(\d\d):(\d\d)[.,](\d{3}) --> (\d+):(\d\d):(\d\d)[.,](\d{3})\] {2}(.*)$/s;
/** Between the text and the tokens of a line; see whisper-cli-patch.ts. */
const TOKENS_MARK = '\x1e';
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours begin with one.
const COLOUR = /\x1b\[[0-9;]*m/g;
/** The colours of `--print-colors` from the least to the most probable: steps of the probability's cube. */
const COLOURS = ['38;5;160', '38;5;166', '38;5;208', '38;5;215', '38;5;227', '38;5;114', '38;5;71'];

/** @param line A line of standard output, bytes as latin1. Null when it is not a segment. */
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

const Offsets = z.object({ from: z.number(), to: z.number() });
const WhisperJson = z.object({
  result: z.object({ language: z.string() }),
  transcription: z.array(
    z.object({
      offsets: Offsets,
      text: z.string(),
      tokens: z.array(z.object({ text: z.string(), offsets: Offsets.optional(), p: z.number() })).default([]),
    }),
  ),
});
/** Tokens that are not text, such as `[_BEG_]` and `[_TT_150]`. */
const SPECIAL = /^\[_.*\]$|^<\|.*\|>$/;

/** The file that `--output-json-full` writes. @throws Error when it is incomplete or of another shape. */
export function readWhisperJson(text: string): WhisperDocument {
  const document = WhisperJson.parse(JSON.parse(text));
  const segments = document.transcription.map(({ offsets, text: spoken, tokens: all }) => {
    const tokens = all.filter((token) => !SPECIAL.test(token.text));
    return {
      startMs: offsets.from,
      endMs: offsets.to,
      text: spoken.trim(),
      confidence: mean(tokens.map((token) => token.p)),
      tokens: tokens.map((token) => ({
        bytes: Buffer.from(token.text, 'utf8'),
        startMs: token.offsets?.from ?? offsets.from,
        endMs: token.offsets?.to ?? offsets.to,
        probability: token.p,
      })),
    };
  });
  return { language: document.result.language, segments };
}

/** The probability in a line such as `auto-detected language: de (p = 0.97)` of standard error; else null. */
export function readDetection(line: string): number | null {
  const match = /auto-detected language: \w+ \(p = ([\d.]+)\)/.exec(line);
  return match === null ? null : Number(match[1]);
}

/** Three decimals, within 0 and 1. */
export function round(value: number): number {
  return Math.round(Math.min(Math.max(value, 0), 1) * 1000) / 1000;
}

function mean(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return null;
  return round(known.reduce((sum, value) => sum + value, 0) / known.length);
}

function toMs(parts: readonly string[]): number {
  const [hours = 0, minutes = 0, seconds = 0, ms = 0] = parts.map(Number);
  return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms;
}

/** `<bytes>,<from ms>,<to ms>,<probability or nothing>;` for each token. */
function readTokens(text: Buffer, list: string): readonly Token[] {
  let at = 0;
  return list
    .split(';')
    .filter((item) => item !== '')
    .map((item) => {
      const [length = '', startMs = '', endMs = '', probability = ''] = item.split(',');
      const bytes = text.subarray(at, at + Number(length));
      at += Number(length);
      return {
        bytes,
        startMs: Number(startMs),
        endMs: Number(endMs),
        probability: probability === '' ? null : Number(probability),
      };
    });
}

/** The middle of each colour's range: about 2 % wide for the most probable, 50 % for the least. */
function probabilitiesOfColours(coloured: string): readonly number[] {
  const steps = coloured
    .split('\x1b[')
    .map((part) => COLOURS.indexOf(part.slice(0, part.indexOf('m'))))
    .filter((step) => step !== -1);
  return steps.map((step) => Math.cbrt((step + 0.5) / COLOURS.length));
}
