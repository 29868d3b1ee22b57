import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChildExit } from '../../src/process/child.ts';
import { runChild } from '../../src/process/run-child.ts';
import { withTimeout } from '../../src/process/wait.ts';
import { EngineError } from '../engines/engine.ts';
import { DecodeFailure } from './decode-failure.ts';
import { type FfmpegReport, readFfmpegOutput, readFfmpegProgress } from './ffmpeg-output.ts';
import { WAV_BYTES_PER_MS, WAV_HEADER_BYTES } from './wav.ts';
import { claimedWavDurationMs } from './wav-claim.ts';

export interface DecodedAudio {
  /** A 16 kHz mono s16 WAV file in the directory given. */
  readonly path: string;
  readonly durationMs: number;
  readonly codec: string | null;
  readonly sampleRate: number | null;
  readonly channels: number | null;
  /** True when it is more than half a second shorter than its header says, within the tolerance. */
  readonly truncated: boolean;
}

export interface DecodeOptions {
  /** Private to the run; the WAV file is written here. */
  readonly directory: string;
  readonly maxDurationMs: number;
  readonly ffmpegPath: string;
  /** Called a few times a second with 0 to 1, never falling. */
  readonly onProgress?: (fraction: number) => void;
}

/** Containers with audio. Playlists are left out, since they make ffmpeg open other files. */
const FORMATS =
  'mp3,wav,w64,flac,ogg,mov,matroska,aac,aiff,amr,amrnb,amrwb,au,caf,asf,avi,mpeg,mpegts,flv,ac3,eac3,wv,ape,tta,dsf';
const MEMORY_BYTES = 2 * 1024 ** 3;
const MIN_TIMEOUT_MS = 60_000;
/** Decoding runs hundreds of times faster than real time; below this it is stuck. */
const SLOWEST_SPEED = 10;
/** The duration of a container may differ from that of its audio by this much although nothing is missing. */
const TOLERANCE_MS = 2000;
const TOLERANCE_SHARE = 0.02;

/**
 * Converts a recording to the format of the engines, in a child process with limits on time, memory and output. The
 * output decides whether it succeeded, since ffmpeg's exit code is 0 for truncated files, too.
 *
 * @throws EngineError, of kind AUDIO when the recording is the cause; the signal's reason.
 */
export async function decodeAudio(
  path: string,
  options: DecodeOptions,
  signal: AbortSignal,
): Promise<DecodedAudio> {
  signal.throwIfAborted();
  if ((await stat(path)).size === 0) throw DecodeFailure.empty();
  const output = join(options.directory, 'audio.wav');
  const exit = await runFfmpeg(path, output, options, signal);
  const report = withClaim(readFfmpegOutput(exit.errorHead), await claimedWavDurationMs(path));
  const durationMs = await durationOf(output);
  throwIfFailed(exit, report, durationMs, options);
  options.onProgress?.(1);
  const { codec, sampleRate, channels } = report;
  const missingMs = (report.durationMs ?? 0) - durationMs;
  const truncated = !report.hasVideo && missingMs > 500;
  return { path: output, durationMs, codec, sampleRate, channels, truncated };
}

async function runFfmpeg(path: string, output: string, options: DecodeOptions, signal: AbortSignal) {
  const timeoutMs = Math.max(MIN_TIMEOUT_MS, options.maxDurationMs / SLOWEST_SPEED);
  const maxBytes = Math.ceil((options.maxDurationMs + 2000) * WAV_BYTES_PER_MS);
  const either = withTimeout(signal, timeoutMs);
  try {
    return await runChild(
      options.ffmpegPath,
      ffmpegArguments(path, output, options.maxDurationMs, maxBytes),
      {
        env: { AV_LOG_FORCE_NOCOLOR: '1' },
        limits: {
          memoryBytes: MEMORY_BYTES,
          cpuSeconds: Math.ceil(timeoutMs / 1000),
          fileBytes: maxBytes + 1024 ** 2,
        },
        ...listenersFor(options),
      },
      either,
    );
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (error instanceof EngineError) throw error;
    if (either.aborted) throw DecodeFailure.timeout();
    throw DecodeFailure.missing(String(error));
  }
}

function ffmpegArguments(path: string, output: string, maxDurationMs: number, maxBytes: number): string[] {
  const input = ['-protocol_whitelist', 'file', '-format_whitelist', FORMATS, '-threads', '1'];
  return [
    ...['-hide_banner', '-nostdin', '-y', '-loglevel', 'info', '-nostats', '-progress', 'pipe:1'],
    ...input,
    ...['-i', `file:${path}`, '-map', '0:a:0', '-vn', '-sn', '-dn', '-map_metadata', '-1'],
    ...['-t', String(maxDurationMs / 1000 + 1), '-fs', String(maxBytes)],
    ...['-ac', '1', '-ar', '16000', '-c:a', 'pcm_s16le', '-fflags', '+bitexact', '-flags:a', '+bitexact'],
    ...['-f', 'wav', output],
  ];
}

/** Reports progress, and ends a decoding early whose result would be refused. */
function listenersFor(options: DecodeOptions) {
  let head = '';
  let totalMs: number | null = null;
  return {
    onErrorLine: (line: string) => {
      if (totalMs !== null || head.length > 16_384) return;
      head += `${line}\n`;
      totalMs = readFfmpegOutput(head).durationMs;
      if (isTooLong(totalMs ?? 0, options)) throw DecodeFailure.tooLong(options.maxDurationMs);
    },
    onLine: (line: string) => {
      const doneMs = readFfmpegProgress(line);
      if (doneMs !== null && totalMs !== null && totalMs > 0) {
        options.onProgress?.(Math.min(doneMs / totalMs, 1));
      }
    },
  };
}

/** A container may claim a little more than it holds. */
function isTooLong(claimedMs: number, options: Pick<DecodeOptions, 'maxDurationMs'>): boolean {
  return claimedMs > options.maxDurationMs + TOLERANCE_MS;
}

function withClaim(report: FfmpegReport, claimedMs: number | null): FfmpegReport {
  return claimedMs === null ? report : { ...report, durationMs: claimedMs };
}

async function durationOf(wav: string): Promise<number> {
  try {
    const { size } = await stat(wav);
    return Math.max(0, Math.floor((size - WAV_HEADER_BYTES) / WAV_BYTES_PER_MS));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0;
    throw error;
  }
}

function throwIfFailed(exit: ChildExit, report: FfmpegReport, durationMs: number, options: DecodeOptions) {
  const said = exit.errorTail;
  if (/No space left on device/.test(said)) throw DecodeFailure.noSpace(said);
  if (exit.code === 127 || exit.code === 126) throw DecodeFailure.missing(said);
  if (exit.signal === 'SIGXCPU') throw DecodeFailure.timeout(said);
  if (exit.signal === 'SIGKILL' || /Cannot allocate memory/.test(said)) throw DecodeFailure.outOfMemory(said);
  if (exit.signal !== null) throw DecodeFailure.crashed(said);
  if (!report.opened) throw DecodeFailure.unreadable(said);
  if (!report.hasAudio) throw DecodeFailure.noStream(said);
  if (durationMs === 0) throw exit.code === 0 ? DecodeFailure.empty(said) : DecodeFailure.unreadable(said);
  if (durationMs > options.maxDurationMs || isTooLong(report.durationMs ?? 0, options)) {
    throw DecodeFailure.tooLong(options.maxDurationMs);
  }
  if (isTruncated(report, said, durationMs)) {
    throw DecodeFailure.truncated(durationMs, report.durationMs ?? 0)(said);
  }
  if (exit.code !== 0) throw DecodeFailure.unreadable(said);
}

/** In a file with video, the duration may be that of the video: then only an error counts. */
function isTruncated(report: FfmpegReport, said: string, durationMs: number): boolean {
  const claimedMs = report.durationMs ?? 0;
  const isShort = claimedMs - durationMs > Math.max(TOLERANCE_MS, claimedMs * TOLERANCE_SHARE);
  return (
    isShort && (!report.hasVideo || /partial file|Invalid data|truncated|Error while decoding/i.test(said))
  );
}
