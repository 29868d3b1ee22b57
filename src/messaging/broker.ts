import { type EventMessage, endsAttempt, PROTOCOL_VERSION, type TaskMessage } from '../contract/messages.ts';
import type { AdmittedJob } from '../domain/admission.ts';
import { engineOf, type Failure } from '../domain/vocabulary.ts';
import { appendEvent, readLastEvent } from './chain.ts';
import type { NatsConnection } from './connection.ts';
import { clearControl, publishCancel } from './control.ts';
import type { NatsSession } from './session.ts';
import { deleteTask, findTask, publishTask } from './tasks.ts';

export interface TaskLimits {
  readonly maxAudioBytes: number;
  readonly maxAudioMs: number;
  readonly attemptTimeoutMs: number;
  readonly maxLostRuns: number;
}

export interface NatsBrokerOptions {
  readonly session: NatsSession;
  readonly limits: TaskLimits;
  /** A signed URL at which workers read an upload. */
  readonly contentUrl: (uploadId: string) => string;
  readonly now: () => Date;
}

/** The server's side of the wire protocol, docs/protocol.md. */
export function createNatsBroker(options: NatsBrokerOptions): Broker {
  const { session } = options;
  return {
    publishTask: (job) => publishTask(session.connection, toTask(job, options)),
    deleteTask: (sequence) => deleteTask(session.connection, sequence),
    taskExists: async (sequence) => (await findTask(session.connection, sequence)) !== null,
    requestCancel: (jobId, at, reason) =>
      publishCancel(session.connection, {
        v: PROTOCOL_VERSION,
        jobId,
        action: 'cancel',
        at: at.getTime(),
        reason,
      }),
    endRun: (jobId, end, atLeastAttempt) =>
      endRun(session.connection, jobId, end, atLeastAttempt, options.now()),
    clearCancel: (jobId) => clearControl(session.connection, jobId),
    attemptForTask: (jobId, rows) => attemptForTask(session.connection, jobId, rows, options.now()),
  };
}

export function toTask(job: AdmittedJob, options: Omit<NatsBrokerOptions, 'session'>): TaskMessage {
  const { limits } = options;
  const untilDeadlineMs =
    job.deadline === null ? Number.POSITIVE_INFINITY : job.deadline.getTime() - options.now().getTime();
  const upload = 'uploadId' in job.source;
  return {
    v: PROTOCOL_VERSION,
    jobId: job.id,
    attempt: job.attempt,
    publication: job.publication,
    engine: engineOf(job.queue),
    priority: job.priority,
    audio: {
      kind: upload ? 'upload' : 'url',
      url: 'uploadId' in job.source ? options.contentUrl(job.source.uploadId) : job.source.url,
      ...job.audio,
    },
    range: { startMs: 0, endMs: null },
    options: { ...job.options, vocabulary: [...job.options.vocabulary] },
    resume: job.resume,
    limits: { ...limits, attemptTimeoutMs: Math.max(1, Math.min(limits.attemptTimeoutMs, untilDeadlineMs)) },
  };
}

/** Runs that the server may end: `lost` ends one that goes on, the others a job that no worker has. */
function mayEnd(last: EventMessage | null, end: ServerEnd): boolean {
  if (last?.type === 'completed' || last?.type === 'canceled') return false;
  const running = last !== null && !endsAttempt(last);
  return end.type === 'lost' ? running : !running;
}

type Last = Awaited<ReturnType<typeof readLastEvent>>;

async function endRun(
  nc: NatsConnection,
  jobId: string,
  end: ServerEnd,
  atLeastAttempt: number,
  now: Date,
): Promise<EndRunResult> {
  const last = await readLastEvent(nc, jobId);
  if (!mayEnd(last?.event ?? null, end)) return { ended: false };
  const isBehind = last === null || last.event.attempt < atLeastAttempt;
  if (end.type === 'lost' && isBehind) return { ended: false };
  // A failure is one of the attempt that would come next, so that a second copy of the task knows it is over.
  const isNext = end.type === 'failed' || isBehind;
  const place = isNext ? nextAttempt(last, atLeastAttempt) : sameAttempt(last);
  const event = {
    ...serverEvent(jobId, last, place, now),
    lostRuns: (last?.event.lostRuns ?? 0) + (end.type === 'lost' ? 1 : 0),
  };
  const message: EventMessage =
    end.type === 'failed'
      ? { ...event, type: 'failed', failure: end.failure, requestId: null }
      : { ...event, type: end.type };
  const appended = await appendEvent(nc, message, last?.sequence ?? 0);
  return appended.accepted ? { ended: true, event: message } : { ended: false };
}

async function attemptForTask(
  nc: NatsConnection,
  jobId: string,
  rows: { readonly nextAttempt: number; readonly appliedSequence: number },
  now: Date,
): Promise<number | null> {
  const last = await readLastEvent(nc, jobId);
  if (last === null) return rows.nextAttempt;
  const { attempt } = last.event;
  if (!endsAttempt(last.event)) {
    // The same attempt: who finds its run dead goes on with the next, and when it ends by itself the task is void.
    // A chain that lost its end would begin an attempt that the rows have had.
    return attempt < rows.nextAttempt - 1 ? rows.nextAttempt : attempt;
  }
  if (last.sequence > rows.appliedSequence) return null;
  if (last.event.type !== 'completed' && last.event.type !== 'canceled') {
    return Math.max(rows.nextAttempt, attempt + 1);
  }
  // Behind a `released`, workers may run the job again.
  const place = nextAttempt(last, 0);
  const event: EventMessage = { ...serverEvent(jobId, last, place, now), type: 'released' };
  const appended = await appendEvent(nc, event, last.sequence);
  return appended.accepted ? Math.max(rows.nextAttempt, place.attempt + 1) : null;
}

interface Place {
  readonly attempt: number;
  readonly ordinal: number;
}

function nextAttempt(last: Last, atLeastAttempt: number): Place {
  return { attempt: Math.max(last?.event.attempt ?? 0, atLeastAttempt) + 1, ordinal: 1 };
}

function sameAttempt(last: Last): Place {
  return { attempt: last?.event.attempt ?? 0, ordinal: (last?.event.ordinal ?? 0) + 1 };
}

function serverEvent(jobId: string, last: Last, place: Place, now: Date) {
  return {
    ...place,
    v: PROTOCOL_VERSION,
    jobId,
    runId: `server-${now.getTime()}`,
    at: now.getTime(),
    generation: last?.event.generation ?? 0,
    segmentCount: last?.event.segmentCount ?? 0,
    checkpointMs: last?.event.checkpointMs ?? 0,
    language: last?.event.language ?? null,
    lostRuns: last?.event.lostRuns ?? 0,
  } as const;
}

/** What the broker does for the use cases. Every method may fail while NATS is away. */
export interface Broker {
  publishTask(job: AdmittedJob): Promise<{ readonly sequence: number }>;
  /** True when it was there. */
  deleteTask(sequence: number): Promise<boolean>;
  taskExists(sequence: number): Promise<boolean>;
  requestCancel(jobId: string, at: Date, reason: string | null): Promise<void>;
  /**
   * Ends a job or a run in the server's name, by an event on the job's chain: accepted only when nobody
   * wrote meanwhile. The same fence that keeps two workers apart keeps server and worker apart.
   *
   * @param atLeastAttempt The last attempt that the database knows of; the chain may have lost it.
   */
  endRun(jobId: string, end: ServerEnd, atLeastAttempt: number): Promise<EndRunResult>;
  /** Forgets a cancel that was asked of an earlier attempt. */
  clearCancel(jobId: string): Promise<void>;
  /**
   * The attempt that a new task of an unfinished job must name. Null when the chain ends in an event that the rows do not
   * know yet (one after `appliedSequence`): they will, and what it ended must not be run again. An outcome that the
   * rows know and refused (a broker that lost its newest events may have let a run complete that nobody believed) is
   * opened again first.
   */
  attemptForTask(
    jobId: string,
    rows: { readonly nextAttempt: number; readonly appliedSequence: number },
  ): Promise<number | null>;
}

export type ServerEnd =
  | { readonly type: 'canceled' }
  | { readonly type: 'lost' }
  | { readonly type: 'failed'; readonly failure: Failure };

export type EndRunResult =
  /** The event is on the chain. */
  | { readonly ended: true; readonly event: EventMessage }
  /** A worker has the job, or it is over. */
  | { readonly ended: false };
