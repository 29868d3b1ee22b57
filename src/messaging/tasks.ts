import { jetstreamManager } from '@nats-io/jetstream';
import { CodecError, decode, encode, taskId } from '../contract/codec.ts';
import { TaskMessage } from '../contract/messages.ts';
import { laneConsumer, laneSubject, STREAMS } from '../contract/subjects.ts';
import { type JobPriority, type QueueName, queueOf } from '../domain/vocabulary.ts';
import type { NatsConnection } from './connection.ts';
import {
  isJetStreamError,
  JETSTREAM_ERRORS,
  publishStored,
  readStored,
  requestJetStream,
} from './jetstream-request.ts';

/** Puts a task on its lane. A repeat with the same job, attempt and run is a duplicate, not a second task. */
export async function publishTask(
  nc: NatsConnection,
  task: TaskMessage,
): Promise<{ readonly sequence: number; readonly duplicate: boolean }> {
  return publishStored(nc, laneSubject(queueOf(task.engine), task.priority), encode(task), {
    messageId: taskId(task),
  });
}

/** False when the task is gone already. */
export async function deleteTask(nc: NatsConnection, sequence: number): Promise<boolean> {
  const stored = await readStored(nc, STREAMS.tasks, { seq: sequence });
  if (stored === null) return false;
  const { messageNotFound, sequenceNotFound, messageDeleteFailed } = JETSTREAM_ERRORS;
  try {
    await requestJetStream(nc, `STREAM.MSG.DELETE.${STREAMS.tasks}`, { seq: sequence, no_erase: true });
  } catch (error) {
    if (isJetStreamError(error, messageNotFound, sequenceNotFound)) return false;
    // Some servers answer a missing message with this general code.
    const general = isJetStreamError(error, messageDeleteFailed);
    if (general && (await readStored(nc, STREAMS.tasks, { seq: sequence })) === null) return false;
    throw error;
  }
  await recountLane(nc, stored.subject);
  return true;
}

/**
 * nats-server 2.9 goes on counting a deleted task as pending, and then parks the next no-wait pull without an
 * answer. Asking for the lane's state makes it count anew.
 */
async function recountLane(nc: NatsConnection, subject: string): Promise<void> {
  const [priority, queue] = subject.split('.').toReversed();
  try {
    await requestJetStream(nc, `CONSUMER.INFO.${STREAMS.tasks}.lane_${queue}_${priority}`, {});
  } catch (error) {
    if (!isJetStreamError(error, JETSTREAM_ERRORS.consumerNotFound)) throw error;
  }
}

/** The task at a sequence; null when it is gone. @throws CodecError when it cannot be read. */
export async function findTask(nc: NatsConnection, sequence: number): Promise<TaskMessage | null> {
  const stored = await readStored(nc, STREAMS.tasks, { seq: sequence });
  return stored === null ? null : decode(TaskMessage, stored.bytes);
}

export interface LaneState {
  /** Tasks that wait in JetStream; the backlog is `pending` + `ackPending`, never the stream's count. */
  readonly pending: number;
  /** Tasks that workers hold. */
  readonly ackPending: number;
  readonly redelivered: number;
  /** Everything of this lane up to here is done, as far as JetStream knows. */
  readonly ackFloorStreamSequence: number;
}

export async function laneState(
  nc: NatsConnection,
  queue: QueueName,
  priority: JobPriority,
): Promise<LaneState> {
  const manager = await jetstreamManager(nc, { checkAPI: false });
  const info = await manager.consumers.info(STREAMS.tasks, laneConsumer(queue, priority));
  return {
    pending: info.num_pending,
    ackPending: info.num_ack_pending,
    redelivered: info.num_redelivered,
    ackFloorStreamSequence: info.ack_floor.stream_seq,
  };
}

/**
 * Tasks that a killed nats-server left behind: below the lane's ack floor, so never delivered and never
 * removed. Deleting one is safe: the chain of events decides what its job needs.
 */
export async function tasksBelowAckFloor(
  nc: NatsConnection,
  queue: QueueName,
  priority: JobPriority,
  limit = 100,
): Promise<readonly { readonly sequence: number; readonly task: TaskMessage | null }[]> {
  const { ackFloorStreamSequence } = await laneState(nc, queue, priority);
  const subject = laneSubject(queue, priority);
  const found: { sequence: number; task: TaskMessage | null }[] = [];
  let sequence = 1;
  while (found.length < limit && sequence <= ackFloorStreamSequence) {
    const stored = await readStored(nc, STREAMS.tasks, { seq: sequence, next_by_subj: subject });
    if (stored === null || stored.sequence > ackFloorStreamSequence) break;
    found.push({ sequence: stored.sequence, task: readable(stored.bytes) });
    sequence = stored.sequence + 1;
  }
  return found;
}

function readable(bytes: Uint8Array): TaskMessage | null {
  try {
    return decode(TaskMessage, bytes);
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}
