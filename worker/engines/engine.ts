import type { Word } from '../../src/domain/transcript.ts';
import type { TranscriptionOptions } from '../../src/domain/transcription-options.ts';
import type { Engine as EngineName, Failure } from '../../src/domain/vocabulary.ts';

/**
 * A speech engine, as the worker uses it. docs/engines.md explains how to write one; test/conformance/engine-suite.ts
 * tests the obligations below on every engine.
 *
 * An engine of `input: 'wav'` gets the recording in pieces: 16 kHz mono s16 WAV files, cut at quiet places, one call
 * for each, with times relative to the piece. The worker fetches, decodes, cuts, adds offsets and stores checkpoints.
 *
 * An engine of `input: 'source'` gets the recording as the user submitted it (URL and a way to read it), once per
 * attempt, and gives times relative to the recording.
 */
export type TranscriptionEngine = WavEngine | SourceEngine;

interface EngineInfo {
  /** The lane it serves. */
  readonly engine: EngineName;
  /** Where it computes, such as `cpu`, `cuda`, `cloud`. */
  readonly device: string;
  /** The models it can run now; exactly one is the default. */
  models(): Promise<readonly EngineModel[]>;
  /** False while calls would surely fail, such as with an open circuit breaker. */
  readonly available: boolean;
  /** For the operator, shown at the start: what this machine lacks, and the remedy. */
  readonly notice?: string;
  /** Where the engine has a circuit breaker: its state, for people; `available` decides. */
  readonly breakerState?: 'closed' | 'open' | 'half-open';
  /** The most calls at once, such as the limit of an API key; the worker has no more slots. */
  readonly maxConcurrency?: number;
  /** Frees its resources; called once, after the last call of `transcribe` ended. */
  close(): Promise<void>;
}

export interface WavEngine extends EngineInfo {
  readonly input: 'wav';
  /**
   * Obligations: segments come in order, do not overlap, lie within the piece, and none comes after the promise
   * settled or the signal was aborted; an abort ends the call within a second, with the signal's reason; every other
   * failure is an `EngineError`.
   */
  transcribe(piece: WavPiece, report: EngineReport, signal: AbortSignal): Promise<EngineResult>;
}

export interface SourceEngine extends EngineInfo {
  readonly input: 'source';
  /** The obligations of `WavEngine`, with times relative to the recording's start. */
  transcribe(source: AudioSource, report: EngineReport, signal: AbortSignal): Promise<EngineResult>;
}

export interface EngineModel {
  readonly name: string;
  /** BCP 47 tags; empty means any. */
  readonly languages: readonly string[];
  readonly isDefault: boolean;
}

export interface WavPiece {
  /** A 16 kHz mono s16 WAV file that the engine may only read. */
  readonly path: string;
  readonly durationMs: number;
  /** A private directory for the engine's files, which the worker removes after the attempt. */
  readonly workDirectory: string;
  readonly options: TranscriptionOptions;
  /** The user's, or that of earlier pieces; null means detect. */
  readonly language: string | null;
}

export interface AudioSource {
  readonly jobId: string;
  /** Number of the job's attempt, from 1, where the caller knows it. */
  readonly attempt?: number;
  readonly kind: 'url' | 'upload';
  readonly url: string;
  readonly contentType: string | null;
  readonly sizeBytes: number | null;
  /** Continue after this much audio if the engine can; segments that start before it are dropped. */
  readonly resumeMs: number;
  readonly options: TranscriptionOptions;
  readonly language: string | null;
  /**
   * The recording as a guarded stream, never whole in memory; one call, one connection.
   * @throws EngineError of kind FETCH.
   */
  open(signal: AbortSignal): Promise<{
    readonly stream: NodeJS.ReadableStream;
    readonly sizeBytes: number | null;
    readonly contentType: string | null;
  }>;
}

export interface EngineSegment {
  /** Milliseconds from the start of the piece (`wav`) or the recording (`source`). */
  readonly startMs: number;
  readonly endMs: number;
  readonly text: string;
  readonly speaker: string | null;
  readonly confidence: number | null;
  readonly words: readonly Word[] | null;
}

/** Where an engine reports what it has done so far; the worker numbers and publishes it. */
export interface EngineReport {
  /** Finished segments, in order; they are stored at once and never change. */
  segments(segments: readonly EngineSegment[]): void;
  /** Audio done, in milliseconds; never falls. */
  progress(processedMs: number): void;
  /** The recording's length and form, from an engine of input `source`. */
  audio(events: {
    readonly durationMs: number | null;
    readonly channels: number | null;
    /** The provider's id of the request, if known: kept when the recording turns out to be too long. */
    readonly requestId?: string | null;
  }): void;
  /** True while the engine cannot report how far it is; progress is then an estimate. */
  indeterminate(value: boolean): void;
}

export interface EngineResult {
  /** BCP 47 tag of the language spoken; null when the engine does not know it. */
  readonly language: string | null;
  readonly languageConfidence: number | null;
  /** The model that ran, as the engine names it. */
  readonly model: string;
  /** The provider's id of the request, for tracing a bill. */
  readonly requestId: string | null;
}

/**
 * A failure of an attempt with its kind; anything else thrown counts as INTERNAL.
 *
 * An engine module outside this repository cannot import this class: `instanceof` holds for every Error of this name
 * that has a `failure` and a `requestId`.
 */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly failure: Failure;
  readonly requestId: string | null;

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (!(value instanceof Error) || value.name !== 'EngineError') return false;
    return 'failure' in value && typeof value.failure === 'object' && 'requestId' in value;
  }

  constructor(failure: Failure, options: ErrorOptions & { readonly requestId?: string | null } = {}) {
    super(`${failure.kind} ${failure.code}: ${failure.message}`, options);
    this.failure = failure;
    this.requestId = options.requestId ?? null;
  }
}
