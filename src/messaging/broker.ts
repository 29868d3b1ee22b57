import { PROTOCOL_VERSION, type TaskMessage } from '../contract/messages.ts';
import type { AdmittedJob } from '../domain/admitted-job.ts';
import { engineOf } from '../domain/vocabulary.ts';
import { clearControl, publishCancel } from './control.ts';
import { attemptForTask, type EndRunResult, endRun, type ServerEnd } from './server-events.ts';
import type { NatsSession } from './session.ts';
import { deleteTask, publishTask, taskExists } from './tasks.ts';

/** What the use cases and loops of the server ask of NATS. Every method may fail while NATS is away. */
export interface Broker {
  publishTask(job: AdmittedJob): Promise<{ readonly sequence: number }>;
  /** False when the task was gone already. */
  deleteTask(sequence: number): Promise<boolean>;
  taskExists(sequence: number): Promise<boolean>;
  requestCancel(jobId: string, at: Date, reason: string | null): Promise<void>;
  /** Removes a cancel that was requested of an earlier run. */
  clearCancel(jobId: string): Promise<void>;
  /**
   * Ends a job or a run by an event of the server on the job's chain. The same fence that keeps two workers apart keeps
   * server and worker apart: the event is refused when another one came in between.
   *
   * Where the chain ends in an event that cannot be read, `lost` puts a retryable failure behind it, so that the job
   * goes on.
   *
   * @param atLeastAttempt The last attempt in the database; the chain may have lost it.
   */
  endRun(jobId: string, end: ServerEnd, atLeastAttempt: number): Promise<EndRunResult>;
  /**
   * The attempt that a new task of an unfinished job must name.
   *
   * Null while the chain ends in an event that the rows do not have yet (one after `appliedSequence`): the projector
   * gets to it, and a job that it ended must not run again. An outcome that the rows refused is opened again first:
   * a broker that lost its newest events may have let a stale run complete.
   */
  attemptForTask(
    jobId: string,
    rows: { readonly nextAttempt: number; readonly appliedSequence: number },
  ): Promise<number | null>;
}

export interface NatsBrokerOptions {
  readonly session: NatsSession;
  readonly limits: TaskMessage['limits'];
  /** A signed URL at which workers read an upload. */
  readonly contentUrl: (tenantId: string, uploadId: string) => string;
  readonly now: () => Date;
}

export function createNatsBroker(options: NatsBrokerOptions): Broker {
  const { session, now } = options;
  return {
    publishTask: (job) => publishTask(session.connection, toTask(job, options)),
    deleteTask: (sequence) => deleteTask(session.connection, sequence),
    taskExists: (sequence) => taskExists(session.connection, sequence),
    requestCancel: (jobId, requestedAt, reason) => {
      const at = requestedAt.getTime();
      return publishCancel(session.connection, { v: PROTOCOL_VERSION, jobId, action: 'cancel', at, reason });
    },
    clearCancel: (jobId) => clearControl(session.connection, jobId),
    endRun: (jobId, end, atLeastAttempt) => endRun(session.connection, jobId, end, atLeastAttempt, now()),
    attemptForTask: (jobId, rows) => attemptForTask(session.connection, jobId, rows, now()),
  };
}

function toTask(job: AdmittedJob, { limits, contentUrl, now }: NatsBrokerOptions): TaskMessage {
  const { source, deadline } = job;
  const untilDeadlineMs = deadline === null ? Number.POSITIVE_INFINITY : deadline.getTime() - now().getTime();
  return {
    v: PROTOCOL_VERSION,
    jobId: job.id,
    attempt: job.attempt,
    publication: job.publication,
    engine: engineOf(job.queue),
    priority: job.priority,
    audio: {
      kind: 'uploadId' in source ? 'upload' : 'url',
      url: 'uploadId' in source ? contentUrl(job.tenantId, source.uploadId) : source.url,
      ...job.audio,
    },
    range: { startMs: 0, endMs: null },
    options: { ...job.options, vocabulary: [...job.options.vocabulary] },
    resume: job.resume,
    limits: { ...limits, runTimeoutMs: Math.max(1, Math.min(limits.runTimeoutMs, untilDeadlineMs)) },
  };
}
