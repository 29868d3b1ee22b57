import { Readable } from 'node:stream';
import { readWorkerConfig, type WorkerConfig } from '../../src/config/config.ts';
import type { TranscriptionOptions } from '../../src/domain/transcription-options.ts';
import type { AudioSource, EngineReport, EngineSegment } from '../../worker/engines/engine.ts';
import { DEFAULT_OPTIONS } from './builders.ts';

/** Everything an engine reported, in order of arrival. */
export interface RecordedReport extends EngineReport {
  readonly calls: readonly string[];
  readonly batches: readonly (readonly EngineSegment[])[];
  readonly allSegments: readonly EngineSegment[];
  readonly progressMs: readonly number[];
  readonly durationMs: number | null;
  readonly channels: number | null;
  /** Resolves when the engine has reported anything at all. */
  readonly first: Promise<void>;
}

export function recordReport(): RecordedReport {
  const batches: (readonly EngineSegment[])[] = [];
  const calls: string[] = [];
  const progressMs: number[] = [];
  let audio: { durationMs: number | null; channels: number | null } = { durationMs: null, channels: null };
  let announce: () => void = () => {};
  const first = new Promise<void>((resolve) => {
    announce = resolve;
  });
  const note = (call: string) => {
    calls.push(call);
    announce();
  };
  return {
    calls,
    batches,
    progressMs,
    first,
    get allSegments() {
      return batches.flat();
    },
    get durationMs() {
      return audio.durationMs;
    },
    get channels() {
      return audio.channels;
    },
    segments: (segments) => {
      batches.push(segments);
      note('segments');
    },
    progress: (processedMs) => {
      progressMs.push(processedMs);
      note('progress');
    },
    audio: (events) => {
      audio = { ...events };
      note('audio');
    },
    indeterminate: (value) => note(`indeterminate ${value}`),
  };
}

/** A recording of the given bytes, as a worker would hand it to an engine of input `source`. */
export function aSource(
  changes: Partial<Omit<AudioSource, 'options'>> & {
    readonly options?: Partial<TranscriptionOptions>;
    readonly bytes?: Buffer;
  } = {},
): AudioSource {
  const { bytes = Buffer.from('sound'), options, ...others } = changes;
  return {
    jobId: 'job_0190',
    kind: 'upload',
    url: 'https://files.test/recording.wav',
    contentType: 'audio/wav',
    sizeBytes: bytes.byteLength,
    resumeMs: 0,
    language: options?.language ?? null,
    open: async () => ({
      stream: Readable.from([bytes]),
      sizeBytes: bytes.byteLength,
      contentType: 'audio/wav',
    }),
    ...others,
    options: { ...DEFAULT_OPTIONS, ...options },
  };
}

export function aWorkerConfig(env: NodeJS.ProcessEnv = {}): WorkerConfig {
  return readWorkerConfig({ LOG_LEVEL: 'silent', ...env });
}
