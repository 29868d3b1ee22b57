import { createInbox, type Msg, type Subscription } from '@nats-io/transport-node';
import { CodecError, decode } from '../contract/codec.ts';
import { TaskMessage } from '../contract/messages.ts';
import { laneConsumer, STREAMS, wakeSubject } from '../contract/subjects.ts';
import type { JobPriority, QueueName } from '../domain/vocabulary.ts';
import { unlessAborted } from '../process/wait.ts';
import { NatsAwayError, type NatsConnection, whileConnected } from './connection.ts';

/** A task that a worker holds. JetStream gives it to another worker after 30 s without a heartbeat. */
export interface Delivery {
  readonly task: TaskMessage;
  /** Place in TASKS. */
  readonly sequence: number;
  /** 1 for the first delivery; more means that a worker gave it back, or vanished. */
  readonly deliveredCount: number;
  /** Removes the task. Only after the end of the run is stored. False when JetStream did not confirm it. */
  ack(timeoutMs?: number): Promise<boolean>;
  /** Keeps the task for another 30 s. False when JetStream did not confirm it in time. */
  heartbeat(timeoutMs?: number): Promise<boolean>;
  /** Gives the task back, and wakes idle workers: JetStream publishes nothing that would. */
  nak(timeoutMs?: number): Promise<void>;
}

/** No answer to a pull: the lane does not exist yet, or NATS is slow. A task that comes later is given back. */
export class PullTimeoutError extends Error {
  override readonly name = 'PullTimeoutError';
  constructor(timeoutMs: number) {
    super(`no answer to a pull within ${timeoutMs} ms`);
  }
}

const NO_WAIT_PULL = JSON.stringify({ batch: 1, no_wait: true });
/** How long a late answer is still caught, so that its task need not wait for `ack_wait`. */
const LATE_ANSWER_MS = 30_000;

/**
 * Takes the next task of a lane; null when there is none.
 *
 * A raw request, because the library cannot pull without waiting: its `next()` and `fetch()` wait at least a second,
 * in which a more urgent lane may get a task, and `consume()` fetches tasks ahead that other workers could run.
 *
 * @throws CodecError for a task that this version cannot read; it is off the lane then, and the server publishes the
 * job again after a while. PullTimeoutError, also before the server has created the lanes. NatsAwayError.
 */
export async function pullTask(
  nc: NatsConnection,
  queue: QueueName,
  priority: JobPriority,
  timeoutMs = 1_000,
): Promise<Delivery | null> {
  const subject = `$JS.API.CONSUMER.MSG.NEXT.${STREAMS.tasks}.${laneConsumer(queue, priority)}`;
  const received = await whileConnected(nc, timeoutMs, () => pullOne(nc, subject, timeoutMs));
  if (received.headers !== undefined && received.headers.code !== 0) return null;
  return toDelivery(nc, received, wakeSubject(queue, priority));
}

async function pullOne(nc: NatsConnection, subject: string, timeoutMs: number): Promise<Msg> {
  // A subscription of its own: a task that came to the client's shared inbox after the timeout would be lost.
  const inbox = nc.subscribe(createInbox(), { max: 1 });
  nc.publish(subject, NO_WAIT_PULL, { reply: inbox.getSubject() });
  const answer = firstOf(inbox);
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    return await unlessAborted(answer, timeout);
  } catch (error) {
    if (!timeout.aborted) throw error;
    void giveBackLate(nc, inbox, answer);
    throw new PullTimeoutError(timeoutMs);
  }
}

async function firstOf(inbox: Subscription): Promise<Msg> {
  for await (const message of inbox) return message;
  throw new NatsAwayError('the connection was closed');
}

async function giveBackLate(nc: NatsConnection, inbox: Subscription, answer: Promise<Msg>): Promise<void> {
  const forget = setTimeout(() => inbox.unsubscribe(), LATE_ANSWER_MS).unref();
  const late = await answer.catch(() => null);
  clearTimeout(forget);
  if (late?.reply) nc.publish(late.reply, '-NAK');
}

function toDelivery(nc: NatsConnection, received: Msg, wake: string): Delivery {
  const reply = received.reply ?? '';
  const confirmed = async (word: string, timeoutMs: number): Promise<boolean> => {
    try {
      await whileConnected(nc, timeoutMs, () => nc.request(reply, word, { timeout: timeoutMs }));
      return true;
    } catch {
      // The caller counts for how long nothing was confirmed.
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
      // Confirmed first: woken workers would otherwise pull before the task is back in its lane.
      await confirmed('-NAK', timeoutMs);
      nc.publish(wake);
    },
  };
}

/**
 * `$JS.ACK.<stream>.<consumer>.<delivered>.<stream sequence>.…`; newer servers put domain and account in front of
 * the stream.
 */
function placeOf(reply: string): { readonly sequence: number; readonly deliveredCount: number } {
  const tokens = reply.split('.');
  const delivered = tokens.length >= 11 ? 6 : 4;
  return {
    deliveredCount: Number(tokens[delivered] ?? 1),
    sequence: Number(tokens[delivered + 1] ?? 0),
  };
}
