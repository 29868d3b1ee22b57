import { type Segment, speakerLabel } from '../domain/transcript.ts';
import { highlightsWords } from './caption-rules.ts';
import { onOneLine } from './caption-text.ts';
import { type Cue, CueQueue } from './cue-queue.ts';
import type { ExportFormat, ExportOptions } from './export-options.ts';
import { SubRipWriter } from './sub-rip.ts';
import { WEB_VTT_HEAD, writeWebVtt } from './web-vtt.ts';

/** What a format says of the transcript besides its segments. */
export interface TranscriptHead {
  readonly language: string | null;
  /** Milliseconds of audio. */
  readonly durationMs: number | null;
}

const MEDIA_TYPES: Readonly<Record<ExportFormat, string>> = {
  TXT: 'text/plain; charset=utf-8',
  // Never registered with IANA; this is the name that players and browsers use.
  SRT: 'application/x-subrip; charset=utf-8',
  VTT: 'text/vtt; charset=utf-8',
  JSON: 'application/json',
  TSV: 'text/tab-separated-values; charset=utf-8',
};

/** The `Content-Type` of a format; all are UTF-8. */
export function contentTypeOf(format: ExportFormat): string {
  return MEDIA_TYPES[format];
}

/** The extension of a format's files, without a dot. */
export function fileExtensionOf(format: ExportFormat): string {
  return format.toLowerCase();
}

/** A document in the making: `head`; every segment once and in order, in any number of calls; `end`. */
export interface TranscriptWriter {
  readonly head: string;
  segments(segments: Iterable<Segment>): Generator<string>;
  end(): string;
}

/**
 * Writes a transcript in a file format, page by page, so that hours of it need little memory.
 * Segments without text are left out, except in JSON.
 */
export function transcriptWriter(
  format: ExportFormat,
  transcript: TranscriptHead,
  options: ExportOptions,
): TranscriptWriter {
  const { language } = transcript;
  const { includeSpeakers } = options;
  const highlightWords = highlightsWords(options);
  switch (format) {
    case 'TXT':
      return { head: '', segments: (segments) => toText(segments, options), end: () => '' };
    case 'SRT': {
      const file = new SubRipWriter(highlightWords);
      const queue = new CueQueue({ options, language, namePrefix: includeSpeakers });
      return captionWriter('', queue, (cues) => file.write(cues));
    }
    case 'VTT': {
      const queue = new CueQueue({ options, language, namePrefix: false });
      return captionWriter(WEB_VTT_HEAD, queue, (cues) =>
        writeWebVtt(cues, { includeSpeakers, highlightWords }),
      );
    }
    case 'JSON':
      return jsonWriter(transcript);
    case 'TSV':
      return {
        head: includeSpeakers
          ? `${BYTE_ORDER_MARK}start\tend\tspeaker\ttext\n`
          : `${BYTE_ORDER_MARK}start\tend\ttext\n`,
        segments: (segments) => toTabSeparated(segments, options),
        end: () => '',
      };
  }
}

function captionWriter(
  head: string,
  queue: CueQueue,
  write: (cues: Iterable<Cue>) => Generator<string>,
): TranscriptWriter {
  return {
    head,
    segments: (segments) => write(queue.push(segments)),
    end: () => [...write(queue.end())].join(''),
  };
}

function* toText(segments: Iterable<Segment>, options: ExportOptions): Generator<string> {
  for (const { text, speaker } of segments) {
    const line = onOneLine(text);
    if (line === '') continue;
    const name = options.includeSpeakers && speaker !== null ? `${nameOf(speaker)}: ` : '';
    yield `${name}${line}\n`;
  }
}

function jsonWriter({ language, durationMs }: TranscriptHead): TranscriptWriter {
  let separator = '\n';
  return {
    head: `{"language":${JSON.stringify(language)},"durationMs":${JSON.stringify(durationMs)},"segments":[`,
    *segments(segments) {
      for (const { index, startMs, endMs, text, speaker, confidence, words } of segments) {
        yield separator + JSON.stringify({ index, startMs, endMs, text, speaker, confidence, words });
        separator = ',\n';
      }
    },
    end: () => '\n]}\n',
  };
}

/** Spreadsheet programs take a file without it for one in the encoding of the country. */
const BYTE_ORDER_MARK = '\ufeff';

/**
 * What spreadsheet programs take for a formula, its full-width forms included, or for the start of a quoted cell,
 * which could reach over many rows.
 */
const ACTIVE_CELL = /^'*[=+\-@"＝＋－＠]/u;

function* toTabSeparated(segments: Iterable<Segment>, options: ExportOptions): Generator<string> {
  for (const { startMs, endMs, text, speaker } of segments) {
    const line = onOneLine(text);
    if (line === '') continue;
    const name = speaker === null ? '' : nameOf(speaker);
    yield `${startMs}\t${endMs}\t${options.includeSpeakers ? `${name}\t` : ''}${inertCell(line)}\n`;
  }
}

/** Reversible: one apostrophe goes from the front of each cell that has a special character after apostrophes. */
function inertCell(text: string): string {
  return ACTIVE_CELL.test(text) ? `'${text}` : text;
}

const nameOf = (speaker: string): string => onOneLine(speakerLabel(speaker));
