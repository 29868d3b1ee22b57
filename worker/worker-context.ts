import type { NatsConnection } from '../src/messaging/connection.ts';
import type { Logger } from '../src/observability/logger.ts';
import type { AudioPipeline } from './audio/audio-pipeline.ts';
import type { TranscriptionEngine } from './engines/engine.ts';
import type { SpeedMeter } from './run/speed-meter.ts';
import type { WorkerTiming } from './timing.ts';

/** What all runs of a worker share. */
export interface WorkerContext {
  readonly nc: NatsConnection;
  readonly log: Logger;
  readonly workerId: string;
  readonly engine: TranscriptionEngine;
  /** The model that a task for `default` gets. */
  readonly defaultModel: string;
  readonly audio: AudioPipeline;
  readonly speed: SpeedMeter;
  readonly timing: WorkerTiming;
  /** Private to this process; each run gets a folder in it. */
  readonly workDirectory: string;
  /** The approximate length of the pieces that wav engines get. */
  readonly pieceMs: number;
  /** Aborted when the worker's grace period is over: runs give their jobs back. */
  readonly release: AbortSignal;
}
