import type { EventAt } from '../messaging/event-reader.ts';
import type { ProjectorOffset } from '../storage/projector-offset.ts';

export interface ProjectionStart {
  /** Reading goes on behind it. */
  readonly offset: ProjectorOffset;
  /** The stream is another one than the rows were made of, so its tasks are lost too. */
  readonly isNewEpoch: boolean;
}

/**
 * Where to go on reading. A stream that was created again, or that holds another event at the offset (a broker that
 * lost its last writes and used the sequence again), is a new epoch. It is read from its start, which is harmless, as
 * events count once.
 *
 * @param stored The offset in the database; null before the first event.
 * @param epoch When EVENTS was created.
 */
export async function findStart(
  stored: ProjectorOffset | null,
  epoch: string,
  eventAt: (sequence: number) => Promise<EventAt>,
): Promise<ProjectionStart> {
  const isKnown =
    stored?.epoch === epoch && (stored.sequence === 0 || isTheSame(stored, await eventAt(stored.sequence)));
  if (isKnown) return { offset: stored, isNewEpoch: false };
  return { offset: { epoch, sequence: 0, messageId: null }, isNewEpoch: true };
}

function isTheSame(stored: ProjectorOffset, found: EventAt): boolean {
  if (found.state !== 'present') return found.state === 'expired';
  return stored.messageId === null || found.messageId === stored.messageId;
}
