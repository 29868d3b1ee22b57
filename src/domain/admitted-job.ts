import type { NewJob } from './new-job.ts';
import type { Checkpoint } from './transcript.ts';
import type { JobPriority, QueueName, TranscriptionOptions } from './vocabulary.ts';

/** A task to be published: what admission chose, with all that the task needs. */
export interface AdmittedJob {
  readonly id: string;
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
