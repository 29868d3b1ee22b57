import type { DataSource } from 'typeorm';
import { ID_PREFIXES } from '../domain/ids.ts';
import type { ModelView, QueueView } from '../domain/queue-view.ts';
import { ENGINES, type Engine, type QueueName } from '../domain/vocabulary.ts';
import { CHANNELS } from './channels.ts';
import { whenReachable } from './database.ts';
import { createQueueStats, type StoredQueueStats } from './queue-stats.ts';
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

    stats: createQueueStats(database),
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

export interface QueueStore {
  all(): Promise<readonly QueueView[]>;
  update(name: QueueName, change: QueueChange): Promise<QueueView>;
  stats(queue: QueueName | null, since: Date, now: Date): Promise<StoredQueueStats>;
}

export type QueueChange =
  | { readonly pause: { readonly by: string; readonly reason: string; readonly at: Date } }
  | { readonly resume: true }
  | { readonly concurrency: number };

export interface ModelStore {
  known(): Promise<readonly ModelView[]>;
  seen(models: readonly ModelView[], at: Date): Promise<void>;
}
