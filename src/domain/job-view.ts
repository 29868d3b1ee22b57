import type { TranscriptionOptions } from './transcription-options.ts';
import type {
  AttemptOutcome,
  Engine,
  Failure,
  JobPriority,
  JobStage,
  JobStatus,
  QueueName,
} from './vocabulary.ts';
export interface JobView {
  readonly id: string;
  readonly tenantId: string;
  readonly externalId: string | null;
  readonly status: JobStatus;
  readonly revision: number;
  readonly progress: ProgressView;
  readonly queue: QueueName;
  readonly priority: JobPriority;
  readonly engines: readonly Engine[];
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly audio: AudioView;
  readonly options: TranscriptionOptions;
  readonly submittedAt: Date;
  readonly scheduledFor: Date | null;
  readonly deadline: Date | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly expiresAt: Date | null;
  readonly nextAttemptAt: Date | null;
  readonly cancelRequestedAt: Date | null;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly failure: JobFailureView | null;
  readonly transcript: TranscriptView | null;
  readonly usage: { readonly billedSeconds: number; readonly computeSeconds: number } | null;
}

export interface ProgressView {
  readonly stage: JobStage | null;
  /** 0 to 1; 1 only when the job is COMPLETED. */
  readonly fraction: number;
  readonly processedSeconds: number;
  readonly totalSeconds: number | null;
  readonly segmentCount: number;
  readonly realtimeFactor: number | null;
  readonly etaSeconds: number | null;
  /** True when the engine reports no progress and `etaSeconds` comes from other jobs' speed. */
  readonly isEstimate: boolean;
  readonly updatedAt: Date;
}

export interface AudioView {
  readonly filename: string | null;
  readonly contentType: string | null;
  readonly codec: string | null;
  readonly sizeBytes: number | null;
  readonly durationSeconds: number | null;
  readonly sha256: string | null;
  readonly sampleRate: number | null;
  readonly channels: number | null;
}

export type JobFailureView = Failure & { readonly at: Date; readonly deadLetteredAt: Date | null };

export interface TranscriptView {
  readonly jobId: string;
  readonly language: string | null;
  readonly languageConfidence: number | null;
  readonly isFinal: boolean;
}

export interface AttemptView {
  readonly number: number;
  readonly engine: Engine;
  readonly model: string;
  readonly workerId: string | null;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  readonly outcome: AttemptOutcome | null;
  readonly failure: JobFailureView | null;
  readonly requestId: string | null;
}

export interface QueuePosition {
  readonly position: number;
  readonly estimatedStartAt: Date | null;
}

export interface FailureGroupView {
  readonly fingerprint: string;
  readonly kind: Failure['kind'];
  readonly message: string;
  readonly count: number;
  readonly firstSeenAt: Date;
  readonly lastSeenAt: Date;
  readonly sampleJobIds: readonly string[];
}
