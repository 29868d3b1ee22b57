import type { DataSource } from 'typeorm';
import type { QueueView } from '../app/application.ts';
import type { ModelStore, QueueChange, QueueStore, StoredQueueStats } from '../app/ports.ts';
import { ID_PREFIXES } from '../domain/ids.ts';
import { ENGINES, type Engine } from '../domain/vocabulary.ts';
import { whenReachable } from './database.ts';
import { CHANNELS } from './job-store.ts';
import { type QueueRow, QueueTable } from './tables.ts';

export function createQueueStore(database: DataSource): QueueStore {
  const queues = database.getRepository(QueueTable);
  return {
    all: () => whenReachable(async () => (await queues.find({ order: { name: 'DESC' } })).map(toQueueView)),

    update: (name, change) =>
      whenReachable(async () => {
        await queues.update({ name }, columnsOf(change));
        await database.query('SELECT pg_notify($1, $2)', [CHANNELS.jobsWaiting, name]);
        return toQueueView(await queues.findOneByOrFail({ name }));
      }),

    stats: (queue, since, now) => whenReachable(() => statsOf(database, queue, since, now)),
  };
}

function columnsOf(change: QueueChange): Partial<QueueRow> {
  if ('pause' in change) {
    return { pausedAt: change.pause.at, pausedBy: change.pause.by, pauseReason: change.pause.reason };
  }
  if ('resume' in change) return { pausedAt: null, pausedBy: null, pauseReason: null };
  return { concurrency: change.concurrency };
}

function toQueueView(row: QueueRow): QueueView {
  const { name, concurrency, pausedAt, pausedBy, pauseReason } = row;
  return {
    id: `${ID_PREFIXES.Queue}_${name}`,
    name,
    concurrency,
    isPaused: pausedAt !== null,
    pausedAt,
    pausedBy,
    pauseReason,
  };
}

async function statsOf(
  database: DataSource,
  queue: string | null,
  since: Date,
  now: Date,
): Promise<StoredQueueStats> {
  const [row] = await database.query(
    `SELECT
       count(*) FILTER (WHERE status = 'SCHEDULED')::int AS scheduled,
       count(*) FILTER (WHERE status = 'QUEUED')::int AS queued,
       count(*) FILTER (WHERE status = 'PROCESSING')::int AS processing,
       count(*) FILTER (WHERE status = 'RETRYING')::int AS retrying,
       count(*) FILTER (WHERE dead_lettered_at IS NOT NULL)::int AS "deadLettered",
       count(*) FILTER (WHERE status = 'COMPLETED' AND finished_at >= $2)::int AS completed,
       count(*) FILTER (WHERE status = 'FAILED' AND finished_at >= $2)::int AS failed,
       min(queued_at) FILTER (WHERE status = 'QUEUED') AS "oldestQueuedAt",
       percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - submitted_at) * 1000)
         FILTER (WHERE started_at >= $2) AS waits,
       percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - started_at) * 1000)
         FILTER (WHERE finished_at >= $2 AND started_at IS NOT NULL) AS runs,
       coalesce(sum(audio_duration_ms) FILTER (WHERE status = 'COMPLETED' AND finished_at >= $2), 0) AS "audioMs"
     FROM jobs WHERE ($1::text IS NULL OR queue = $1)
       AND (status IN ('SCHEDULED', 'QUEUED', 'PROCESSING', 'RETRYING') OR finished_at >= $2 OR dead_lettered_at IS NOT NULL)`,
    [queue, since],
  );
  const windowSeconds = Math.max(1, (now.getTime() - since.getTime()) / 1000);
  const ended = row.completed + row.failed;
  const rounded = (value: number | null | undefined) => (value == null ? null : Math.round(value));
  return {
    scheduled: row.scheduled,
    queued: row.queued,
    processing: row.processing,
    retrying: row.retrying,
    deadLettered: row.deadLettered,
    completed: row.completed,
    failed: row.failed,
    failureRate: ended === 0 ? 0 : row.failed / ended,
    oldestQueuedAt: row.oldestQueuedAt,
    waitMsP50: rounded(row.waits?.[0]),
    waitMsP95: rounded(row.waits?.[1]),
    runMsP50: rounded(row.runs?.[0]),
    runMsP95: rounded(row.runs?.[1]),
    jobsPerMinute: (row.completed / windowSeconds) * 60,
    audioSecondsPerSecond: Number(row.audioMs) / 1000 / windowSeconds,
  };
}

/** What workers said they can run, kept for the times when none is up. */
export function createModelStore(database: DataSource): ModelStore {
  return {
    async known() {
      const rows: { engine: Engine; name: string; languages: string[]; is_default: boolean }[] =
        await whenReachable(() =>
          database.query(`SELECT engine, name, languages, is_default FROM models
          WHERE last_seen_at > now() - interval '30 days' ORDER BY engine, is_default DESC, name`),
        );
      return rows
        .map((row) => ({
          engine: row.engine,
          name: row.name,
          languages: row.languages,
          isDefault: row.is_default,
        }))
        .sort((a, b) => ENGINES.indexOf(a.engine) - ENGINES.indexOf(b.engine));
    },

    async seen(models, at) {
      for (const model of models) {
        await database.query(
          `INSERT INTO models (engine, name, languages, is_default, last_seen_at) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (engine, name) DO UPDATE
             SET languages = excluded.languages, is_default = excluded.is_default, last_seen_at = excluded.last_seen_at`,
          [model.engine, model.name, model.languages, model.isDefault, at],
        );
      }
    },
  };
}
