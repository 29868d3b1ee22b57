import { speakerLabel } from '../domain/transcript.ts';
import { clock } from './caption-clock.ts';
import { lineText } from './caption-lines.ts';
import { type CaptionUnit, onOneLine } from './caption-text.ts';
import type { Cue } from './cue-queue.ts';
import { directed } from './text-direction.ts';

export const WEB_VTT_HEAD = 'WEBVTT\n\n';

export interface WebVttOptions {
  readonly includeSpeakers: boolean;
  readonly highlightWords: boolean;
}

/** Source: W3C, "WebVTT: The Web Video Text Tracks Format", sections 4.1 and 4.2. */
export function* writeWebVtt(cues: Iterable<Cue>, options: WebVttOptions): Generator<string> {
  for (const cue of cues) {
    const write = options.highlightWords && cue.wordTimes ? markedWords(cue) : plainWord;
    const text = cue.lines
      .map((line) => directed(lineText(line, write), lineText(line), cue.rightToLeft))
      .join('\n');
    yield `${clock(cue.startMs, '.')} --> ${clock(cue.endMs, '.')}\n${voiced(text, cue, options)}\n\n`;
  }
}

function voiced(text: string, { speaker }: Cue, { includeSpeakers }: WebVttOptions): string {
  if (!includeSpeakers || speaker === null) return text;
  return `<v ${escapeMarkup(onOneLine(speakerLabel(speaker)))}>${text}</v>`;
}

const plainWord = (unit: CaptionUnit): string => escapeMarkup(unit.text);

/** Each word after its timestamp; these must increase and lie strictly within the cue. */
function markedWords(cue: Cue): (unit: CaptionUnit) => string {
  let lastMs = cue.startMs;
  return (unit) => {
    const word = `<c>${escapeMarkup(unit.text)}</c>`;
    if (unit.startMs <= lastMs || unit.startMs >= cue.endMs) return word;
    lastMs = unit.startMs;
    return `<${clock(unit.startMs, '.')}>${word}`;
  };
}

/** Also keeps `-->` out of the text, which would end the cue. */
function escapeMarkup(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
