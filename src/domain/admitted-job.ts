import type { NewJob } from './new-job.ts';
import type { Checkpoint } from './transcript.ts';
import { DEFAULT_MODEL, type TranscriptionOptions } from './transcription-options.ts';
import type { JobPriority, QueueName } from './vocabulary.ts';

/** A task to be published: what admission chose, with all that the task needs. */
export interface AdmittedJob {
  readonly id: string;
  readonly tenantId: string;
  readonly queue: QueueName;
  readonly priority: JobPriority;
  readonly attempt: number;
  readonly publication: number;
  readonly source: { readonly url: string } | { readonly uploadId: string };
  readonly audio: NewJob['audio'] & {
    /** As an earlier attempt measured it; null before the first. */
    readonly durationMs: number | null;
  };
  readonly options: TranscriptionOptions;
  readonly resume: Checkpoint;
  readonly deadline: Date | null;
}

/** The model that was asked for belongs to the first engine; another engine runs its own default. */
export function optionsFor(engineIndex: number, options: TranscriptionOptions): TranscriptionOptions {
  return engineIndex === 0 ? options : { ...options, model: DEFAULT_MODEL };
}
