import { ID_PREFIXES } from '../domain/ids.ts';
import type { QueueView } from '../domain/queue-view.ts';
import type { QueueName } from '../domain/vocabulary.ts';
import { CHANNELS } from './channels.ts';
import type { Database } from './database.ts';
import { createQueueStats } from './queue-stats.ts';
import { type QueueRow, QueueTable } from './tables.ts';

export type QueueStore = ReturnType<typeof createQueueStore>;

export function createQueueStore(database: Database) {
  const queues = database.getRepository(QueueTable);
  return {
    async all(): Promise<readonly QueueView[]> {
      return (await queues.find({ order: { name: 'DESC' } })).map(toQueueView);
    },

    async update(name: QueueName, change: QueueChange): Promise<QueueView> {
      await queues.update({ name }, columnsOf(change));
      await database.query('SELECT pg_notify($1, $2)', [CHANNELS.jobsWaiting, name]);
      return toQueueView(await queues.findOneByOrFail({ name }));
    },

    stats: createQueueStats(database),
  };
}

export type QueueChange =
  | { readonly pause: { readonly by: string; readonly reason: string; readonly at: Date } }
  | { readonly resume: true }
  | { readonly concurrency: number };

function columnsOf(change: QueueChange): Partial<QueueRow> {
  if ('pause' in change) {
    return { pausedAt: change.pause.at, pausedBy: change.pause.by, pauseReason: change.pause.reason };
  }
  if ('resume' in change) return { pausedAt: null, pausedBy: null, pauseReason: null };
  return { concurrency: change.concurrency };
}

function toQueueView(row: QueueRow): QueueView {
  return { ...row, id: `${ID_PREFIXES.Queue}_${row.name}`, isPaused: row.pausedAt !== null };
}
