import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { isFinal, type JobStatus } from '../../src/domain/vocabulary.ts';
import type { Random } from './random.ts';
import type { SubmittedJob } from './submitter.ts';

const QUERIES = {
  segments: `subscription Segments($id: ID!, $after: String) {
    jobSegments(id: $id, after: $after) { cursor from to jobStatus segments { index text } }
  }`,
  progress: `subscription Progress($id: ID!, $after: String) {
    jobProgress(id: $id, after: $after) { cursor newSegments { index text } job { status } }
  }`,
} as const;

/** Closing a socket that is still connecting emits an error after the client has removed its listener. */
class QuietWebSocket extends WebSocket {
  constructor(url: string, protocols: string[]) {
    super(url, protocols);
    this.on('error', () => undefined);
  }
}

interface SeenSegment {
  readonly index: number;
  readonly text: string;
}
interface SeenEvent {
  readonly cursor: string;
  readonly segments: readonly SeenSegment[];
  readonly status: JobStatus;
}

/** What one client received in all its sessions. */
export interface Received {
  readonly jobId: string;
  readonly texts: string[];
  status: JobStatus | null;
  sessions: number;
  /** Gaps, repeats and nonsense. */
  readonly faults: string[];
}

/**
 * Watches a job on one server for a while, disconnects without closing, and resumes on the other server with its
 * last cursor, until the job ends or the signal aborts.
 */
export async function followJob(
  job: SubmittedJob,
  urls: readonly string[],
  random: Random,
  signal: AbortSignal,
): Promise<Received> {
  const received: Received = { jobId: job.id, texts: [], status: null, sessions: 0, faults: [] };
  let cursor: string | null = null;
  while (!signal.aborted && (received.status === null || !isFinal(received.status))) {
    const url = urls[(job.plan.server + received.sessions) % urls.length] ?? '';
    received.sessions += 1;
    for await (const event of eventsOf(job, url, cursor, random.integer(300, 8000), signal)) {
      cursor = event.cursor;
      received.status = event.status;
      for (const segment of event.segments) take(received, segment);
    }
    await delay(random.integer(50, 1000), undefined, { signal }).catch(() => undefined);
  }
  return received;
}

function take(received: Received, segment: SeenSegment): void {
  const next = received.texts.length;
  if (segment.index === next) received.texts.push(segment.text);
  else
    received.faults.push(`got segment ${segment.index} instead of ${next} in session ${received.sessions}`);
}

/** One session; an error ends the session only. */
async function* eventsOf(
  { id, plan }: SubmittedJob,
  url: string,
  after: string | null,
  forMs: number,
  signal: AbortSignal,
): AsyncGenerator<SeenEvent> {
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    webSocketImpl: QuietWebSocket,
    retryAttempts: 0,
    connectionAckWaitTimeout: 5000,
  });
  const leave = (): void => client.terminate();
  const timer = setTimeout(leave, forMs);
  signal.addEventListener('abort', leave, { once: true });
  try {
    const query = QUERIES[plan.watch ?? 'segments'];
    for await (const { data } of client.iterate({ query, variables: { id, after } })) {
      const event = eventOf(data);
      if (event === null) return;
      yield event;
    }
  } catch {
    // The server was killed or frozen, or we disconnected.
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', leave);
    await client.dispose();
  }
}

interface Data {
  readonly jobSegments?: {
    readonly cursor: string;
    readonly segments: readonly SeenSegment[];
    readonly jobStatus: JobStatus;
  };
  readonly jobProgress?: {
    readonly cursor: string;
    readonly newSegments: readonly SeenSegment[];
    readonly job: { readonly status: JobStatus };
  };
}

function eventOf(data: unknown): SeenEvent | null {
  const { jobSegments, jobProgress } = (data ?? {}) as Data;
  if (jobSegments) return { ...jobSegments, status: jobSegments.jobStatus };
  if (jobProgress) {
    return { cursor: jobProgress.cursor, segments: jobProgress.newSegments, status: jobProgress.job.status };
  }
  return null;
}
