import type { EntityManager } from 'typeorm';
import type { Database } from './database.ts';

/** Where the projector is in EVENTS. */
export interface ProjectorOffset {
  readonly epoch: string;
  readonly sequence: number;
  readonly messageId: string | null;
}

/** Another projector moved the offset: this one is no longer the leader and must stop. */
export class OffsetConflictError extends Error {
  override readonly name = 'OffsetConflictError';
}

/** Null before the first event of all. */
export async function readOffset(database: Database): Promise<ProjectorOffset | null> {
  const [row] = await database.query('SELECT stream_epoch, sequence, message_id FROM projector_offset');
  if (row === undefined) return null;
  return { epoch: row.stream_epoch, sequence: Number(row.sequence), messageId: row.message_id };
}

/**
 * Compare-and-set, in the transaction that applies the events up to `to`: two projectors can't both commit.
 *
 * @throws OffsetConflictError when the offset is not at `from`.
 */
export async function moveOffset(
  manager: EntityManager,
  from: ProjectorOffset | null,
  to: ProjectorOffset,
): Promise<void> {
  const parameters = [to.epoch, to.sequence, to.messageId];
  const moved: unknown[] =
    from === null
      ? await manager.query(
          `INSERT INTO projector_offset (stream_epoch, sequence, message_id) VALUES ($1, $2, $3)
           ON CONFLICT DO NOTHING RETURNING 1 AS moved`,
          parameters,
        )
      : (
          await manager.query(
            `UPDATE projector_offset SET stream_epoch = $1, sequence = $2, message_id = $3
             WHERE stream_epoch = $4 AND sequence = $5 RETURNING 1 AS moved`,
            [...parameters, from.epoch, from.sequence],
          )
        )[0];
  if (moved.length !== 1) {
    throw new OffsetConflictError(`the offset is no longer at ${from?.sequence ?? 'nothing'}`);
  }
}

/** An event that can't be read or applied, kept for inspection. It has ended its job. */
export interface QuarantinedEvent {
  readonly epoch: string;
  readonly sequence: number;
  readonly jobId: string;
  readonly data: Uint8Array;
  readonly error: string;
}

export async function quarantine(manager: EntityManager, event: QuarantinedEvent): Promise<void> {
  await manager.query(
    `INSERT INTO event_quarantine (stream_epoch, sequence, job_id, data, error) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT DO NOTHING`,
    [event.epoch, event.sequence, event.jobId, Buffer.from(event.data), event.error],
  );
}
