import { randomUUID } from 'node:crypto';
import { copyFile, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runChild } from '../../../src/process/run-child.ts';
import { WAV_BYTES_PER_MS, WAV_HEADER_BYTES, wavHeader } from '../../audio/wav.ts';
import type { EngineReport, EngineSegment, WavPiece } from '../engine.ts';
import type { FoundWhisper } from './find-whisper.ts';
import { type WhisperCall, type WhisperSettings, whisperArguments } from './whisper-arguments.ts';
import { TOKENS_VARIABLE } from './whisper-cli-patch.ts';
import { failureOfExit, WhisperFailure } from './whisper-failure.ts';
import {
  type RawSegment,
  readDetection,
  readWhisperJson,
  readWhisperLine,
  type WhisperDocument,
} from './whisper-output.ts';
import { createSegmentFilter } from './whisper-segments.ts';

/** whisper.cpp finds nothing in shorter audio. */
const SHORTEST_MS = 1100;

const ENVIRONMENT = {
  // Waiting threads must not spin: on two busy cores, two of them ran sixteen times slower.
  OMP_WAIT_POLICY: 'passive',
  // A failed assertion would start gdb, which prints between the segments.
  GGML_NO_BACKTRACE: '1',
  [TOKENS_VARIABLE]: '1',
};

export interface WhisperRun {
  /** whisper's code, as detected or as requested. */
  readonly language: string;
  readonly languageConfidence: number | null;
}

/**
 * Runs one whisper-cli for one piece and reports segments as its lines appear. Exit code 0 alone is not success: the
 * JSON file at the end must be there and complete.
 *
 * @throws EngineError; the signal's reason.
 */
export async function runWhisper(
  [program, ...firstArguments]: FoundWhisper['command'],
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
      program,
      [
        ...firstArguments,
        ...whisperArguments({ ...call, wavPath, outputPath, vocabulary, timestamps }, settings),
      ],
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
  const add = (raw: readonly RawSegment[]) => {
    const segments = raw.map(toSegment).filter((segment): segment is EngineSegment => segment !== null);
    if (segments.length > 0) report.segments(segments);
  };
  let reported = 0;
  let processedMs = 0;
  return {
    line(line: string): void {
      const raw = readWhisperLine(line);
      if (raw === null) return;
      const isComplete = !withWords || raw.tokens !== null;
      if (isComplete) {
        add([raw]);
        reported += 1;
      }
      processedMs = Math.max(processedMs, Math.min(raw.endMs, piece.durationMs));
      report.progress(processedMs);
    },
    /** Adds what the lines lacked: segments with words, when whisper-cli is not our build. */
    end(document: WhisperDocument): void {
      add(document.segments.slice(reported));
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

/** The same sound, followed by silence. */
async function pad(from: string, to: string): Promise<void> {
  const dataBytes = SHORTEST_MS * WAV_BYTES_PER_MS;
  await copyFile(from, to);
  await truncate(to, WAV_HEADER_BYTES + dataBytes);
  await writeFile(to, wavHeader(dataBytes), { flag: 'r+' });
}
