import type { QueueStatsView } from '../domain/queue-view.ts';
import type { QueueName } from '../domain/vocabulary.ts';
import type { Database } from './database.ts';

/** A result is reused for this many times the time it took, so that callers can't overload the database. */
const REST_FACTOR = 10;
const MIN_AGE_MS = 1000;
const MAX_AGE_MS = 10_000;
/** Percentiles are of the newest jobs of each tenant; more would hardly change them. */
const SAMPLE_SIZE = 10_000;

type Stats = (queue: QueueName | null, since: Date, now: Date) => Promise<StoredQueueStats>;

/** Counts and durations of a queue; calls within about a second share one result. */
export function createQueueStats(database: Database): Stats {
  const answers = new Map<string, { readonly stats: Promise<StoredQueueStats>; freshUntil: number }>();
  return (queue, since, now) => {
    const key = `${queue} ${now.getTime() - since.getTime()}`;
    const known = answers.get(key);
    const begunAt = performance.now();
    if (known !== undefined && begunAt < known.freshUntil) return known.stats;
    for (const [old, { freshUntil }] of answers) if (freshUntil <= begunAt) answers.delete(old);
    const answer = {
      stats: statsOf(database, queue, since, now),
      freshUntil: Number.POSITIVE_INFINITY,
    };
    answers.set(key, answer);
    answer.stats.then(
      () => {
        const tookMs = performance.now() - begunAt;
        const restMs = Math.min(MAX_AGE_MS, Math.max(MIN_AGE_MS, tookMs * REST_FACTOR));
        answer.freshUntil = performance.now() + restMs;
      },
      () => answers.delete(key),
    );
    return answer.stats;
  };
}

/** Counts of unfinished jobs and dead letters. Each status has a partial index with all that is counted. */
export function waitingStatement(queue: string | null): string {
  const here = queue === null ? '' : 'AND queue = $1';
  return `SELECT
      (SELECT count(*)::int FROM jobs WHERE status = 'SCHEDULED' ${here}) AS scheduled,
      (SELECT count(*)::int FROM jobs WHERE status = 'RETRYING' ${here}) AS retrying,
      (SELECT count(*)::int FROM jobs WHERE dead_lettered_at IS NOT NULL ${here}) AS "deadLettered",
      admitted.processing, admitted.queued + waiting.queued AS queued,
      least(admitted.oldest, waiting.oldest) AS "oldestQueuedAt"
    FROM
      (SELECT count(*) FILTER (WHERE status = 'PROCESSING')::int AS processing,
          count(*) FILTER (WHERE status = 'QUEUED')::int AS queued,
          min(queued_at) FILTER (WHERE status = 'QUEUED') AS oldest
        FROM jobs WHERE admitted_at IS NOT NULL ${here}) AS admitted,
      (SELECT count(*)::int AS queued, min(queued_at) AS oldest
        FROM jobs WHERE status = 'QUEUED' AND admitted_at IS NULL ${here}) AS waiting`;
}

/** Of jobs that started or ended in the window; by tenant, as the indexes are. */
export function pacesStatement(queue: string | null): string {
  const here = queue === null ? '' : 'AND j.queue = $2';
  const quantiles = (from: string, to: string) =>
    `percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM ${to} - ${from}) * 1000)`;
  return `SELECT ended.*, waits.quantiles AS waits, runs.quantiles AS runs
    FROM
      (SELECT count(*) FILTER (WHERE j.status = 'COMPLETED')::int AS completed,
          count(*) FILTER (WHERE j.status = 'FAILED')::int AS failed,
          coalesce(sum(j.audio_duration_ms) FILTER (WHERE j.status = 'COMPLETED'), 0) AS "audioMs"
        FROM tenants t JOIN jobs j ON j.tenant_id = t.id AND j.finished_at >= $1 ${here}) AS ended,
      (SELECT ${quantiles('submitted_at', 'started_at')} AS quantiles FROM tenants t
        CROSS JOIN LATERAL (SELECT j.submitted_at, j.started_at FROM jobs j
          WHERE j.tenant_id = t.id AND j.started_at >= $1 ${here}
          ORDER BY j.started_at DESC NULLS LAST, j.id DESC LIMIT ${SAMPLE_SIZE}) AS started) AS waits,
      (SELECT ${quantiles('started_at', 'finished_at')} AS quantiles FROM tenants t
        CROSS JOIN LATERAL (SELECT j.started_at, j.finished_at FROM jobs j
          WHERE j.tenant_id = t.id AND j.finished_at >= $1 AND j.started_at IS NOT NULL ${here}
          ORDER BY j.finished_at DESC NULLS LAST, j.id DESC LIMIT ${SAMPLE_SIZE}) AS finished) AS runs`;
}

async function statsOf(
  database: Database,
  queue: string | null,
  since: Date,
  now: Date,
): Promise<StoredQueueStats> {
  const ofQueue = queue === null ? [] : [queue];
  const [waiting] = await database.query(waitingStatement(queue), ofQueue);
  const [paces] = await database.query(pacesStatement(queue), [since, ...ofQueue]);
  const windowSeconds = Math.max(1, (now.getTime() - since.getTime()) / 1000);
  const ended = paces.completed + paces.failed;
  const rounded = (value: number | null | undefined) => (value == null ? null : Math.round(value));
  return {
    scheduled: waiting.scheduled,
    queued: waiting.queued,
    processing: waiting.processing,
    retrying: waiting.retrying,
    deadLettered: waiting.deadLettered,
    completed: paces.completed,
    failed: paces.failed,
    failureRate: ended === 0 ? 0 : paces.failed / ended,
    oldestQueuedAt: waiting.oldestQueuedAt,
    waitMsP50: rounded(paces.waits?.[0]),
    waitMsP95: rounded(paces.waits?.[1]),
    runMsP50: rounded(paces.runs?.[0]),
    runMsP95: rounded(paces.runs?.[1]),
    jobsPerMinute: (paces.completed / windowSeconds) * 60,
    audioSecondsPerSecond: Number(paces.audioMs) / 1000 / windowSeconds,
  };
}

type StoredQueueStats = Omit<
  QueueStatsView,
  'queue' | 'at' | 'workersOnline' | 'workersBusy' | 'engineAvailable'
>;
