import type { TranscriptionOptions } from './transcription-options.ts';
import type { Engine, JobPriority } from './vocabulary.ts';
/** A job to insert. */
export interface NewJob {
  readonly id: string;
  readonly tenantId: string;
  readonly externalId: string | null;
  readonly engines: readonly Engine[];
  readonly priority: JobPriority;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly source: { readonly url: string } | { readonly uploadId: string };
  readonly audio: {
    readonly filename: string | null;
    readonly contentType: string | null;
    readonly sizeBytes: number | null;
    readonly sha256: string | null;
  };
  readonly options: TranscriptionOptions;
  readonly submittedAt: Date;
  readonly scheduledFor: Date | null;
  readonly deadline: Date | null;
  readonly maxAttempts: number;
}
