import { availableParallelism } from 'node:os';
import type { WorkerConfig } from '../../../src/config/config.ts';
import type { TranscriptionOptions } from '../../../src/domain/transcription-options.ts';

export type WhisperSettings = Pick<
  WorkerConfig,
  'WHISPER_THREADS' | 'WHISPER_BEAM_SIZE' | 'WHISPER_ARGS' | 'WHISPER_VAD_MODEL' | 'WORKER_SLOTS'
>;

export interface WhisperCall {
  readonly modelPath: string;
  readonly wavPath: string;
  /** Without `.json`, which whisper-cli appends. */
  readonly outputPath: string;
  /** whisper's code, or `auto`. */
  readonly language: string;
  readonly translate: boolean;
  readonly vocabulary: TranscriptionOptions['vocabulary'];
  /** `SEGMENT` by default. */
  readonly timestamps?: TranscriptionOptions['timestamps'];
}

/** whisper.cpp uses the last 224 tokens of a prompt, which is about this many characters. */
const MAX_PROMPT_CHARS = 600;

export function whisperArguments(call: WhisperCall, settings: WhisperSettings): string[] {
  const prompt = promptOf(call.vocabulary);
  return [
    ...['-m', call.modelPath, '-f', call.wavPath, '-ojf', '-of', call.outputPath],
    ...['-l', call.language, '-mc', '0', '-bs', String(settings.WHISPER_BEAM_SIZE)],
    ...['-t', String(threadsOf(settings)), '-pc'],
    ...(call.translate ? ['-tr'] : []),
    ...(prompt === '' ? [] : ['--prompt', prompt]),
    ...voiceDetection(call, settings),
    ...settings.WHISPER_ARGS.split(/\s+/).filter((argument) => argument !== ''),
  ];
}

/** With it whisper-cli cuts silence away and gives times of segments in the recording, but times of words in the rest. */
function voiceDetection(call: WhisperCall, { WHISPER_VAD_MODEL: model }: WhisperSettings): string[] {
  return model === undefined || call.timestamps === 'WORD' ? [] : ['--vad', '-vm', model];
}

/** Leaves one core to Node and ffmpeg, over all slots: OpenMP's threads wait for the slowest one. */
export function threadsOf(settings: Pick<WhisperSettings, 'WHISPER_THREADS' | 'WORKER_SLOTS'>): number {
  const share = Math.floor((availableParallelism() - 1) / settings.WORKER_SLOTS);
  return settings.WHISPER_THREADS ?? Math.max(1, share);
}

/** A list of words as a sentence that could precede the recording. */
function promptOf(vocabulary: readonly string[]): string {
  let prompt = '';
  for (const entry of vocabulary) {
    const word = entry.replaceAll(/\p{Cc}/gu, ' ').trim();
    const longer = prompt === '' ? word : `${prompt}, ${word}`;
    if (longer.length > MAX_PROMPT_CHARS) break;
    prompt = longer;
  }
  return prompt === '' ? '' : `${prompt}.`;
}
