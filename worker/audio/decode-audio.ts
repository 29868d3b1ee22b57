import { EngineError } from '../engines/engine.ts';

export interface DecodedAudio {
  /** A 16 kHz mono s16 WAV file in the directory given. */
  readonly path: string;
  readonly durationMs: number;
  readonly codec: string | null;
  readonly sampleRate: number | null;
  readonly channels: number | null;
  /** True when the file ended earlier than its header says, within the tolerance. */
  readonly truncated: boolean;
}

export interface DecodeOptions {
  readonly directory: string;
  readonly maxDurationMs: number;
  readonly ffmpegPath: string;
  readonly onProgress?: (fraction: number) => void;
}

/** Turns a recording into the form the engines take. @throws EngineError of kind AUDIO. */
export async function decodeAudio(
  path: string,
  options: DecodeOptions,
  signal: AbortSignal,
): Promise<DecodedAudio> {
  signal.throwIfAborted();
  throw new EngineError({
    kind: 'INTERNAL',
    code: 'DECODER_MISSING',
    message: `Not yet: ${path} ${options.directory}`,
    retryable: false,
  });
}
