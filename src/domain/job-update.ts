import type { Job } from './job.ts';
import type { Segment } from './transcript.ts';
import type { AttemptOutcome, Engine, Failure } from './vocabulary.ts';
/** What happened to a job, as one change of its row and what hangs on it; applied whole or not at all. */
export interface JobUpdate {
  readonly job: Job;
  readonly at: Date;
  readonly attemptStarted?: AttemptStart;
  readonly attemptEnded?: readonly AttemptEnd[];
  readonly segments?: readonly Segment[];
  /** Segments from this index on belong to a former generation and go away first. */
  readonly dropSegmentsFrom?: number;
  readonly audio?: AudioInfo;
  readonly workerId?: string;
  readonly languageConfidence?: number | null;
  readonly billedMs?: number;
  readonly computeMs?: number;
  /** The last event's time, for finding silent runs. */
  readonly eventAt?: Date;
}

export interface AttemptStart {
  readonly number: number;
  readonly engine: Engine;
  readonly model: string;
  readonly workerId: string;
  readonly runId: string;
  readonly startedAt: Date;
}

export interface AttemptEnd {
  readonly number: number;
  readonly outcome: AttemptOutcome;
  readonly failure: Failure | null;
  readonly finishedAt: Date;
  readonly requestId: string | null;
  /** The model that ran, once the engine said it. */
  readonly model?: string;
}

export interface AudioInfo {
  readonly durationMs: number | null;
  readonly codec: string | null;
  readonly sampleRate: number | null;
  readonly channels: number | null;
  readonly sizeBytes: number | null;
  readonly sha256: string | null;
}
