import { randomUUID } from 'node:crypto';
import { copyFile, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runChild } from '../../../src/process/run-child.ts';
import { WAV_BYTES_PER_MS, WAV_HEADER_BYTES, wavHeader } from '../../audio/wav.ts';
import type { EngineReport, EngineSegment, WavPiece } from '../engine.ts';
import { createSegmentFilter } from './segment-filter.ts';
import { type WhisperCall, type WhisperSettings, whisperArguments } from './whisper-arguments.ts';
import { TOKENS_VARIABLE } from './whisper-cli-patch.ts';
import { failureOfExit, WhisperFailure } from './whisper-failure.ts';
import { readWhisperJson, type WhisperDocument } from './whisper-json.ts';
import { type RawSegment, readWhisperLine } from './whisper-lines.ts';

/** Of shorter audio whisper.cpp makes nothing. */
const SHORTEST_MS = 1100;

const ENVIRONMENT = {
  // Threads that wait must not spin: two on two busy cores ran sixteen times slower.
  OMP_WAIT_POLICY: 'passive',
  // An assertion would start gdb and print over the segments.
  GGML_NO_BACKTRACE: '1',
  [TOKENS_VARIABLE]: '1',
};

export interface WhisperRun {
  /** whisper's code, as found or as asked for. */
  readonly language: string;
  readonly languageConfidence: number | null;
}

/**
 * One whisper-cli for one piece. Segments are reported as its lines appear; exit 0 is not success, the JSON
 * file at the end must be there and complete.
 * @throws EngineError, or the signal's reason.
 */
export async function runWhisper(
  binary: string,
  piece: WavPiece,
  call: Pick<WhisperCall, 'modelPath' | 'language' | 'translate'>,
  settings: WhisperSettings,
  report: EngineReport,
  signal: AbortSignal,
): Promise<WhisperRun> {
  const outputPath = join(piece.workDirectory, `whisper-${randomUUID()}`);
  const wavPath = piece.durationMs < SHORTEST_MS ? `${outputPath}.wav` : piece.path;
  if (wavPath !== piece.path) await pad(piece.path, wavPath);
  const live = createLiveReport(piece, report);
  let languageConfidence: number | null = null;
  try {
    const { vocabulary, timestamps } = piece.options;
    const exit = await runChild(
      binary,
      whisperArguments({ ...call, wavPath, outputPath, vocabulary, timestamps }, settings),
      {
        cwd: piece.workDirectory,
        env: ENVIRONMENT,
        onLine: (line) => live.line(line),
        onErrorLine: (line) => {
          languageConfidence = readDetection(line) ?? languageConfidence;
        },
      },
      signal,
    ).catch((error: unknown) => {
      if (signal.aborted) throw signal.reason;
      throw WhisperFailure.missing(String(error), error);
    });
    const failure = failureOfExit(exit);
    if (failure !== null) throw failure;
    const document = await readDocument(`${outputPath}.json`, exit.errorTail);
    signal.throwIfAborted();
    live.end(document);
    return { language: document.language, languageConfidence };
  } finally {
    await rm(`${outputPath}.json`, { force: true });
    if (wavPath !== piece.path) await rm(wavPath, { force: true });
  }
}

function createLiveReport(piece: WavPiece, report: EngineReport) {
  const withWords = piece.options.timestamps === 'WORD';
  const toSegment = createSegmentFilter(piece.durationMs, withWords);
  const tell = (raw: readonly RawSegment[]) => {
    const segments = raw.map(toSegment).filter((segment): segment is EngineSegment => segment !== null);
    if (segments.length > 0) report.segments(segments);
  };
  let told = 0;
  let processedMs = 0;
  return {
    line(line: string): void {
      const raw = readWhisperLine(line);
      if (raw === null) return;
      const tellsEnough = !withWords || raw.tokens !== null;
      if (tellsEnough) {
        tell([raw]);
        told += 1;
      }
      processedMs = Math.max(processedMs, Math.min(raw.endMs, piece.durationMs));
      report.progress(processedMs);
    },
    /** What the lines didn't tell: words, when whisper-cli is not our build. */
    end(document: WhisperDocument): void {
      tell(document.segments.slice(told));
      report.progress(piece.durationMs);
    },
  };
}

async function readDocument(path: string, errorTail: string): Promise<WhisperDocument> {
  try {
    return readWhisperJson(await readFile(path, 'utf8'));
  } catch (error) {
    throw WhisperFailure.noOutput(`${String(error)}\n${errorTail}`, error);
  }
}

function readDetection(line: string): number | null {
  const match = /auto-detected language: \w+ \(p = ([\d.]+)\)/.exec(line);
  return match === null ? null : Number(match[1]);
}

/** The same sound, followed by silence. */
async function pad(from: string, to: string): Promise<void> {
  const dataBytes = SHORTEST_MS * WAV_BYTES_PER_MS;
  await copyFile(from, to);
  await truncate(to, WAV_HEADER_BYTES + dataBytes);
  await writeFile(to, wavHeader(dataBytes), { flag: 'r+' });
}
