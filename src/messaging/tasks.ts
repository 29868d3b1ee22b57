import { CodecError, decode, encode, taskId } from '../contract/codec.ts';
import { TaskMessage } from '../contract/messages.ts';
import { laneConsumer, laneSubject, STREAMS } from '../contract/subjects.ts';
import { type JobPriority, type QueueName, queueOf } from '../domain/vocabulary.ts';
import type { NatsConnection } from './connection.ts';
import { isJetStreamError, JETSTREAM_ERRORS, publishStored, readStored, withManager } from './jetstream.ts';

/** Puts a task into its lane. A repeat with the same job, attempt and publication is a duplicate, not a second task. */
export async function publishTask(
  nc: NatsConnection,
  task: TaskMessage,
): Promise<{ readonly sequence: number; readonly duplicate: boolean }> {
  const subject = laneSubject(queueOf(task.engine), task.priority);
  return publishStored(nc, subject, encode(task), { messageId: taskId(task) });
}

/** False when the task was gone already. */
export async function deleteTask(nc: NatsConnection, sequence: number): Promise<boolean> {
  const stored = await readStored(nc, STREAMS.tasks, { seq: sequence });
  if (stored === null) return false;
  const { sequenceNotFound, messageDeleteFailed } = JETSTREAM_ERRORS;
  try {
    await withManager(nc, ({ streams }) => streams.deleteMessage(STREAMS.tasks, sequence, false));
  } catch (error) {
    if (isJetStreamError(error, sequenceNotFound)) return false;
    // Some servers answer with this general code when the message is gone.
    const isGeneral = isJetStreamError(error, messageDeleteFailed);
    if (isGeneral && !(await taskExists(nc, sequence))) return false;
    throw error;
  }
  await recountLane(nc, stored.subject);
  return true;
}

/**
 * nats-server 2.9 still counts a deleted task as pending, and holds back the answer to the next no-wait pull. Reading
 * the consumer's state makes it count again.
 */
async function recountLane(nc: NatsConnection, subject: string): Promise<void> {
  const [priority, queue] = subject.split('.').toReversed();
  const consumer = `lane_${queue}_${priority}`;
  try {
    await withManager(nc, ({ consumers }) => consumers.info(STREAMS.tasks, consumer));
  } catch (error) {
    if (!isJetStreamError(error, JETSTREAM_ERRORS.consumerNotFound)) throw error;
  }
}

export async function taskExists(nc: NatsConnection, sequence: number): Promise<boolean> {
  return (await readStored(nc, STREAMS.tasks, { seq: sequence })) !== null;
}

/** The task at a sequence; null when there is none, or none that this version can read. */
export async function findTask(nc: NatsConnection, sequence: number): Promise<TaskMessage | null> {
  const stored = await readStored(nc, STREAMS.tasks, { seq: sequence });
  return stored === null ? null : decodeTask(stored.data);
}

function decodeTask(bytes: Uint8Array): TaskMessage | null {
  try {
    return decode(TaskMessage, bytes);
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}

export interface LaneState {
  /** Tasks that wait in JetStream; the backlog is `pending` + `ackPending`, never the stream's message count. */
  readonly pending: number;
  /** Tasks that workers hold. */
  readonly ackPending: number;
  readonly redelivered: number;
  /** JetStream takes every task of this lane up to here as done. */
  readonly ackFloorStreamSequence: number;
}

export async function laneState(
  nc: NatsConnection,
  queue: QueueName,
  priority: JobPriority,
): Promise<LaneState> {
  const consumer = laneConsumer(queue, priority);
  const info = await withManager(nc, ({ consumers }) => consumers.info(STREAMS.tasks, consumer));
  return {
    pending: info.num_pending,
    ackPending: info.num_ack_pending,
    redelivered: info.num_redelivered,
    ackFloorStreamSequence: info.ack_floor.stream_seq,
  };
}

/**
 * Tasks that a killed nats-server left behind: they lie below the lane's ack floor, so they are never delivered and
 * never removed. Deleting one is safe, since the chain of events decides what its job needs.
 */
export async function tasksBelowAckFloor(
  nc: NatsConnection,
  queue: QueueName,
  priority: JobPriority,
  limit = 100,
): Promise<readonly { readonly sequence: number; readonly task: TaskMessage | null }[]> {
  const { ackFloorStreamSequence: floor } = await laneState(nc, queue, priority);
  const subject = laneSubject(queue, priority);
  const found: { sequence: number; task: TaskMessage | null }[] = [];
  for (let sequence = 1; found.length < limit && sequence <= floor; sequence += 1) {
    const stored = await readStored(nc, STREAMS.tasks, { seq: sequence, next_by_subj: subject });
    if (stored === null || stored.seq > floor) break;
    found.push({ sequence: stored.seq, task: decodeTask(stored.data) });
    sequence = stored.seq;
  }
  return found;
}
