import { createInbox, type Msg, type Subscription } from '@nats-io/transport-node';
import { CodecError, decode } from '../contract/codec.ts';
import { TaskMessage } from '../contract/messages.ts';
import { laneConsumer, STREAMS, wakeSubject } from '../contract/subjects.ts';
import type { JobPriority, QueueName } from '../domain/vocabulary.ts';
import { type NatsConnection, whileConnected } from './connection.ts';

/** A task in a worker's hands. JetStream gives it to another worker after 30 s without a heartbeat. */
export interface Delivery {
  readonly task: TaskMessage;
  /** Place in TASKS. */
  readonly sequence: number;
  /** 1 for the first delivery; more means that a worker let go of it, or vanished. */
  readonly deliveredCount: number;
  /** Removes the task; false when JetStream did not confirm it. Only after the outcome is stored. */
  ack(timeoutMs?: number): Promise<boolean>;
  /** Keeps the task for another 30 s; false when JetStream did not confirm it in time. */
  heartbeat(timeoutMs?: number): Promise<boolean>;
  /** Gives the task back and wakes idle workers, since nothing new is published that would. */
  nak(timeoutMs?: number): Promise<void>;
}

const NO_WAIT_PULL = JSON.stringify({ batch: 1, no_wait: true });
/** How long a late answer is still caught, so that its task does not lie idle until `ack_wait`. */
const LATE_ANSWER_MS = 30_000;

/**
 * Takes the next task of a lane, or null when there is none right now. It does not wait for one: the
 * client's own `next()` waits at least a second.
 *
 * @throws CodecError for a task this version cannot read; it is off the lane then, and the server publishes
 * the job again after a while. PullTimeoutError, also while the server has not made the lanes; NatsAwayError.
 */
export async function pullTask(
  nc: NatsConnection,
  queue: QueueName,
  priority: JobPriority,
  timeoutMs = 1_000,
): Promise<Delivery | null> {
  const lane = laneConsumer(queue, priority);
  const subject = `$JS.API.CONSUMER.MSG.NEXT.${STREAMS.tasks}.${lane}`;
  const received = await whileConnected(nc, timeoutMs, () => pullOne(nc, subject, timeoutMs));
  const status = received.headers?.code ?? 0;
  if (status !== 0) return null;
  return toDelivery(nc, received, wakeSubject(queue, priority));
}

/** No answer to a pull: the lane does not exist yet, or NATS is slow. A task that comes later is given back. */
export class PullTimeoutError extends Error {
  override readonly name = 'PullTimeoutError';
  constructor(timeoutMs: number) {
    super(`no answer to a pull within ${timeoutMs} ms`);
  }
}

function pullOne(nc: NatsConnection, subject: string, timeoutMs: number): Promise<Msg> {
  return new Promise((resolve, reject) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      reject(new PullTimeoutError(timeoutMs));
      setTimeout(() => subscription.unsubscribe(), LATE_ANSWER_MS).unref();
    }, timeoutMs);
    // A subscription of its own: a task that came to the client's shared inbox would be lost to it.
    const subscription: Subscription = nc.subscribe(createInbox(), {
      max: 1,
      callback: (error, received) => {
        clearTimeout(timer);
        if (error !== null) reject(error);
        else if (!late) resolve(received);
        else if (received.reply) nc.publish(received.reply, '-NAK');
      },
    });
    try {
      nc.publish(subject, NO_WAIT_PULL, { reply: subscription.getSubject() });
    } catch (error) {
      clearTimeout(timer);
      reject(error);
    }
  });
}

function toDelivery(nc: NatsConnection, received: Msg, wake: string): Delivery {
  const reply = received.reply ?? '';
  const confirmed = async (word: string, timeoutMs: number): Promise<boolean> => {
    try {
      await whileConnected(nc, timeoutMs, () => nc.request(reply, word, { timeout: timeoutMs }));
      return true;
    } catch {
      // No answer is an answer here: the caller counts how long none came.
      return false;
    }
  };
  let task: TaskMessage;
  try {
    task = decode(TaskMessage, received.data);
  } catch (error) {
    // Without a reason: servers before 2.10.4 ignore a termination that has one.
    if (error instanceof CodecError) nc.publish(reply, '+TERM');
    throw error;
  }
  return {
    task,
    ...placeOf(reply),
    ack: (timeoutMs = 5_000) => confirmed('+ACK', timeoutMs),
    heartbeat: (timeoutMs = 5_000) => confirmed('+WPI', timeoutMs),
    nak: async (timeoutMs = 2_000) => {
      // Confirmed first: woken workers would otherwise look before the task is back on its lane.
      await confirmed('-NAK', timeoutMs);
      nc.publish(wake);
    },
  };
}

/**
 * `$JS.ACK.<stream>.<consumer>.<delivered>.<stream sequence>.…`, with domain and account in front of the stream
 * on servers that have them.
 */
function placeOf(reply: string): { readonly sequence: number; readonly deliveredCount: number } {
  const tokens = reply.split('.');
  const delivered = tokens.length >= 11 ? 6 : 4;
  return {
    deliveredCount: Number(tokens[delivered] ?? 1),
    sequence: Number(tokens[delivered + 1] ?? 0),
  };
}
