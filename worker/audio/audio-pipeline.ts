import type { TaskMessage } from '../../src/contract/messages.ts';
import { type AudioPiece, type CutOptions, cutAudio } from './cut-audio.ts';
import { type DecodedAudio, type DecodeOptions, decodeAudio } from './decode-audio.ts';
import {
  type FetchedAudio,
  type FetchOptions,
  fetchAudio,
  type OpenedAudio,
  openAudio,
} from './fetch-audio.ts';

/** From a task's audio to pieces for an engine. Every step throws EngineError or the signal's reason. */
export interface AudioPipeline {
  fetch(
    audio: TaskMessage['audio'],
    options: Omit<FetchOptions, 'allowedNetworks'>,
    signal: AbortSignal,
  ): Promise<FetchedAudio>;
  open(
    audio: TaskMessage['audio'],
    options: { readonly maxBytes: number },
    signal: AbortSignal,
  ): Promise<OpenedAudio>;
  decode(
    path: string,
    options: Omit<DecodeOptions, 'ffmpegPath'>,
    signal: AbortSignal,
  ): Promise<DecodedAudio>;
  cut(wavPath: string, options: CutOptions, signal: AbortSignal): AsyncGenerator<AudioPiece>;
}

export function createAudioPipeline(settings: {
  readonly allowedNetworks: readonly string[];
  readonly ffmpegPath: string;
}): AudioPipeline {
  const { allowedNetworks, ffmpegPath } = settings;
  return {
    fetch: (audio, options, signal) => fetchAudio(audio, { ...options, allowedNetworks }, signal),
    open: (audio, options, signal) => openAudio(audio, { ...options, allowedNetworks }, signal),
    decode: (path, options, signal) => decodeAudio(path, { ...options, ffmpegPath }, signal),
    cut: cutAudio,
  };
}
