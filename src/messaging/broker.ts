import type { AdmittedJob, Broker, EndRunResult, ServerEnd } from '../app/ports.ts';
import { endsAttempt, type FactMessage, type Order, PROTOCOL_VERSION } from '../contract/messages.ts';
import { engineOf } from '../domain/vocabulary.ts';
import type { NatsConnection } from './connection.ts';
import { clearControl, publishCancel } from './control.ts';
import { appendFact, readLastFact } from './chain.ts';
import { deleteOrder, findOrder, publishOrder } from './tasks.ts';
import type { NatsSession } from './session.ts';

export interface OrderLimits {
  readonly maxAudioBytes: number;
  readonly maxAudioMs: number;
  readonly attemptTimeoutMs: number;
  readonly maxLostAttempts: number;
}

export interface NatsBrokerOptions {
  readonly session: NatsSession;
  readonly limits: OrderLimits;
  /** A signed URL at which workers read an upload. */
  readonly contentUrl: (uploadId: string) => string;
  readonly now: () => Date;
}

/** The server's side of the wire protocol, docs/protocol.md. */
export function createNatsBroker(options: NatsBrokerOptions): Broker {
  const { session } = options;
  return {
    publishOrder: (job) => publishOrder(session.connection, toOrder(job, options)),
    deleteOrder: (sequence) => deleteOrder(session.connection, sequence),
    orderExists: async (sequence) => (await findOrder(session.connection, sequence)) !== null,
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
    attemptToOrder: (jobId, rows) => attemptToOrder(session.connection, jobId, rows, options.now()),
  };
}

export function toOrder(job: AdmittedJob, options: Omit<NatsBrokerOptions, 'session'>): Order {
  const { limits } = options;
  const untilDeadlineMs =
    job.deadline === null ? Number.POSITIVE_INFINITY : job.deadline.getTime() - options.now().getTime();
  const upload = 'uploadId' in job.source;
  return {
    v: PROTOCOL_VERSION,
    jobId: job.id,
    attempt: job.attempt,
    run: job.run,
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
function mayEnd(last: FactMessage | null, end: ServerEnd): boolean {
  if (last?.type === 'completed' || last?.type === 'canceled') return false;
  const running = last !== null && !endsAttempt(last);
  return end.type === 'lost' ? running : !running;
}

type Last = Awaited<ReturnType<typeof readLastFact>>;

async function endRun(
  nc: NatsConnection,
  jobId: string,
  end: ServerEnd,
  atLeastAttempt: number,
  now: Date,
): Promise<EndRunResult> {
  const last = await readLastFact(nc, jobId);
  if (!mayEnd(last?.fact ?? null, end)) return { ended: false };
  const isBehind = last === null || last.fact.attempt < atLeastAttempt;
  if (end.type === 'lost' && isBehind) return { ended: false };
  // A failure is one of the attempt that would come next, so that a second copy of the order knows it is over.
  const isNext = end.type === 'failed' || isBehind;
  const place = isNext ? nextAttempt(last, atLeastAttempt) : sameAttempt(last);
  const fact = {
    ...serverFact(jobId, last, place, now),
    lostAttempts: (last?.fact.lostAttempts ?? 0) + (end.type === 'lost' ? 1 : 0),
  };
  const message: FactMessage =
    end.type === 'failed'
      ? { ...fact, type: 'failed', failure: end.failure, requestId: null }
      : { ...fact, type: end.type };
  const appended = await appendFact(nc, message, last?.sequence ?? 0);
  return appended.accepted ? { ended: true, fact: message } : { ended: false };
}

async function attemptToOrder(
  nc: NatsConnection,
  jobId: string,
  rows: { readonly nextAttempt: number; readonly appliedSequence: number },
  now: Date,
): Promise<number | null> {
  const last = await readLastFact(nc, jobId);
  if (last === null) return rows.nextAttempt;
  const { attempt } = last.fact;
  if (!endsAttempt(last.fact)) {
    // The same attempt: who finds its run dead goes on with the next, and when it ends by itself the order is void.
    // A chain that lost its end would begin an attempt that the rows have had.
    return attempt < rows.nextAttempt - 1 ? rows.nextAttempt : attempt;
  }
  if (last.sequence > rows.appliedSequence) return null;
  if (last.fact.type !== 'completed' && last.fact.type !== 'canceled') {
    return Math.max(rows.nextAttempt, attempt + 1);
  }
  // Behind a `released`, workers may run the job again.
  const place = nextAttempt(last, 0);
  const fact: FactMessage = { ...serverFact(jobId, last, place, now), type: 'released' };
  const appended = await appendFact(nc, fact, last.sequence);
  return appended.accepted ? Math.max(rows.nextAttempt, place.attempt + 1) : null;
}

interface Place {
  readonly attempt: number;
  readonly ordinal: number;
}

function nextAttempt(last: Last, atLeastAttempt: number): Place {
  return { attempt: Math.max(last?.fact.attempt ?? 0, atLeastAttempt) + 1, ordinal: 1 };
}

function sameAttempt(last: Last): Place {
  return { attempt: last?.fact.attempt ?? 0, ordinal: (last?.fact.ordinal ?? 0) + 1 };
}

function serverFact(jobId: string, last: Last, place: Place, now: Date) {
  return {
    ...place,
    v: PROTOCOL_VERSION,
    jobId,
    instance: `server-${now.getTime()}`,
    at: now.getTime(),
    generation: last?.fact.generation ?? 0,
    segmentCount: last?.fact.segmentCount ?? 0,
    checkpointMs: last?.fact.checkpointMs ?? 0,
    language: last?.fact.language ?? null,
    lostAttempts: last?.fact.lostAttempts ?? 0,
  } as const;
}
