import { randomUUID } from 'node:crypto';
import { type EventMessage, endsRun, PROTOCOL_VERSION } from '../contract/messages.ts';
import type { Failure } from '../domain/vocabulary.ts';
import { appendEvent, type ChainEnd, readChainEnd } from './chain.ts';
import type { NatsConnection } from './connection.ts';

/** `lost` ends a run that a worker has, or had; the others end a job that no worker has, unless `evenIfRunning`. */
export type ServerEnd =
  | { readonly type: 'canceled' }
  | { readonly type: 'lost' }
  | { readonly type: 'failed'; readonly failure: Failure; readonly evenIfRunning?: true };

export type EndRunResult =
  /** The event is on the chain. */
  | { readonly ended: true; readonly event: EventMessage }
  /** A worker has the job, or it is over. */
  | { readonly ended: false };

const CHAIN_UNREADABLE: Failure = {
  kind: 'INTERNAL',
  code: 'CHAIN_UNREADABLE',
  message:
    'The last event of the job has a format that this server cannot read, so the run was ended. ' +
    'Use the same version for servers and workers.',
  retryable: true,
};

/** See `Broker.endRun`. */
export async function endRun(
  nc: NatsConnection,
  jobId: string,
  end: ServerEnd,
  atLeastAttempt: number,
  now: Date,
): Promise<EndRunResult> {
  const last = await readChainEnd(nc, jobId);
  const event = endingEvent(jobId, last, end, atLeastAttempt, now);
  if (event === null) return { ended: false };
  const appended = await appendEvent(nc, event, last?.sequence ?? 0);
  return appended.accepted ? { ended: true, event } : { ended: false };
}

/** Null where the server may not end anything. */
export function endingEvent(
  jobId: string,
  last: ChainEnd | null,
  end: ServerEnd,
  atLeastAttempt: number,
  now: Date,
): EventMessage | null {
  if (last !== null && last.event === null) {
    // A `lost` needs the attempt and ordinal of the run, which are unknown here: the next attempt fails instead.
    const ending = end.type === 'lost' ? ({ type: 'failed', failure: CHAIN_UNREADABLE } as const) : end;
    return serverEvent(jobId, last, nextAttempt(last, atLeastAttempt), ending, now);
  }
  if (!mayEnd(last, end)) return null;
  if (end.type !== 'lost') {
    // It opens the attempt that would come next: a second copy of the task finds it ended, and so does a row that has
    // refused the last attempt on the chain.
    return serverEvent(jobId, last, nextAttempt(last, atLeastAttempt), end, now);
  }
  if (last === null || last.event.attempt < atLeastAttempt) return null;
  const { attempt, ordinal } = last.event;
  return serverEvent(jobId, last, { attempt, ordinal: ordinal + 1 }, end, now);
}

function mayEnd(last: ChainEnd | null, end: ServerEnd): boolean {
  const event = last?.event ?? null;
  if (event?.type === 'completed' || event?.type === 'canceled') return false;
  const isRunning = event !== null && !endsRun(event);
  if (end.type === 'failed' && end.evenIfRunning === true) return true;
  return end.type === 'lost' ? isRunning : !isRunning;
}

/** See `Broker.attemptForTask`. */
export async function attemptForTask(
  nc: NatsConnection,
  jobId: string,
  rows: { readonly nextAttempt: number; readonly appliedSequence: number },
  now: Date,
): Promise<number | null> {
  const last = await readChainEnd(nc, jobId);
  if (last === null) return rows.nextAttempt;
  const isApplied = last.sequence <= rows.appliedSequence;
  if (last.event === null) {
    // No worker may start behind such an event. The projector gets to the failure and decides about a retry.
    if (isApplied) await endRun(nc, jobId, { type: 'lost' }, rows.nextAttempt - 1, now);
    return null;
  }
  const { attempt, type } = last.event;
  if (!endsRun(last.event)) {
    // The same attempt: a worker that finds its run dead starts the next one, and when the run ends by itself the
    // task is void. A chain that lost its end would start an attempt that the rows have already had.
    return attempt < rows.nextAttempt - 1 ? rows.nextAttempt : attempt;
  }
  if (!isApplied) return null;
  if (type !== 'completed' && type !== 'canceled') return Math.max(rows.nextAttempt, attempt + 1);
  // After a `released`, workers may run the job again.
  const place = nextAttempt(last, 0);
  const event = serverEvent(jobId, last, place, { type: 'released' }, now);
  const appended = await appendEvent(nc, event, last.sequence);
  return appended.accepted ? Math.max(rows.nextAttempt, place.attempt + 1) : null;
}

interface Place {
  readonly attempt: number;
  readonly ordinal: number;
}

function nextAttempt(last: ChainEnd | null, atLeastAttempt: number): Place {
  return { attempt: Math.max(last?.event?.attempt ?? 0, atLeastAttempt) + 1, ordinal: 1 };
}

function serverEvent(
  jobId: string,
  last: ChainEnd | null,
  place: Place,
  end: ServerEnd | { readonly type: 'released' },
  now: Date,
): EventMessage {
  const event = last?.event;
  const fields = {
    ...place,
    v: PROTOCOL_VERSION,
    jobId,
    runId: `server-${randomUUID()}`,
    at: now.getTime(),
    generation: event?.generation ?? 0,
    segmentCount: event?.segmentCount ?? 0,
    checkpointMs: event?.checkpointMs ?? 0,
    language: event?.language ?? null,
    lostRuns: (event?.lostRuns ?? 0) + (end.type === 'lost' ? 1 : 0),
  } as const;
  if (end.type === 'failed') return { ...fields, type: end.type, failure: end.failure, requestId: null };
  return { ...fields, type: end.type };
}
