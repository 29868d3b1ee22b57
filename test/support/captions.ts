/** A caption as a player reads it. */
export interface ReadCaption {
  readonly startMs: number;
  readonly endMs: number;
  readonly lines: readonly string[];
}

/** Reads SubRip strictly: counters from 1, a time line, text, one blank line. */
export function readSubRip(file: string): ReadCaption[] {
  if (file === '') return [];
  if (!file.endsWith('\n\n')) throw new Error('the last caption is not followed by a blank line');
  return file
    .slice(0, -2)
    .split('\n\n')
    .map((block, index) => {
      const [counter, times, ...lines] = block.split('\n');
      if (counter !== String(index + 1)) throw new Error(`caption ${index + 1} is numbered ${counter}`);
      return { ...readTimes(times, ','), lines };
    });
}

/** Reads the WebVTT that this service writes: a header and cues without identifiers or settings. */
export function readWebVtt(file: string): ReadCaption[] {
  const [header, ...blocks] = file.split('\n\n');
  if (header !== 'WEBVTT') throw new Error(`no WebVTT header but ${header}`);
  if (blocks.pop() !== '') throw new Error('the last cue is not followed by a blank line');
  return blocks.map((block) => {
    const [times, ...lines] = block.split('\n');
    return { ...readTimes(times, '.'), lines };
  });
}

/** What a reader sees of WebVTT cue text. */
export function withoutMarkup(text: string): string {
  return text
    .replace(/<[^>]*>/g, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}

const CLOCK = {
  ',': /^(\d{2,}):([0-5]\d):([0-5]\d),(\d{3})$/,
  '.': /^(\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3})$/,
} as const;

function readTimes(
  line: string | undefined,
  point: keyof typeof CLOCK,
): Pick<ReadCaption, 'startMs' | 'endMs'> {
  const [startMs, endMs, ...rest] = (line ?? '').split(' --> ').map((clock) => {
    const match = CLOCK[point].exec(clock);
    if (match === null) throw new Error(`no times in ${line}`);
    return toMs(...match.slice(1).map(Number));
  });
  if (startMs === undefined || endMs === undefined || rest.length > 0) throw new Error(`no times in ${line}`);
  return { startMs, endMs };
}

function toMs(...[hours = 0, minutes = 0, seconds = 0, milliseconds = 0]: number[]): number {
  return ((hours * 60 + minutes) * 60 + seconds) * 1_000 + milliseconds;
}

/** What a reader sees of SubRip text: lookalikes for the characters that players interpret. */
export function asSubRipShows(text: string): string {
  return text.replaceAll('<', '‹').replaceAll('>', '›').replaceAll('{', '(').replaceAll('}', ')');
}

/** Without characters that only direct a line or part a word from an escape. */
export function withoutMarks(text: string): string {
  return text.replace(/[\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069]/g, '');
}
