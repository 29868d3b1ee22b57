import type { Job } from './job.ts';
import type { Segment } from './transcript.ts';
import type { AttemptOutcome, Engine, Failure, JobPriority } from './vocabulary.ts';

/** A change of a job: its state after it, and what else is stored with it, in one transaction. */
export interface JobUpdate {
  readonly job: Job;
  /** When the server made the change. */
  readonly at: Date;
  readonly attemptStarted?: AttemptStart;
  readonly attemptEnded?: readonly AttemptEnd[];
  readonly segments?: readonly Segment[];
  /** Segments from this index on belong to a former generation and are deleted first. */
  readonly dropSegmentsFrom?: number;
  readonly audio?: AudioInfo;
  readonly workerId?: string;
  readonly languageConfidence?: number | null;
  readonly billedMs?: number;
  readonly computeMs?: number;
  /** The time of the event behind the change, by which silent runs are found. */
  readonly eventAt?: Date;
  readonly cancelReason?: string | null;
  readonly model?: string;
  readonly priority?: JobPriority;
}

interface AttemptStart {
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
  /** The model that ran, where the engine names it. */
  readonly model?: string;
}

interface AudioInfo {
  readonly durationMs: number | null;
  readonly codec: string | null;
  readonly sampleRate: number | null;
  readonly channels: number | null;
  readonly sizeBytes: number | null;
  readonly sha256: string | null;
}
