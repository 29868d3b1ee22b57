import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import {
  controlSubject,
  eventSubject,
  laneConsumer,
  laneSubject,
  progressSubject,
  STREAMS,
} from '../contract/subjects.ts';
import { JOB_PRIORITIES, type QueueName } from '../domain/vocabulary.ts';
import type { Logger } from '../observability/logger.ts';
import type { NatsConnection } from './connection.ts';
import { isJetStreamError, JETSTREAM_ERRORS } from './jetstream-request.ts';
import { requireServerVersion } from './server-version.ts';

const MEBIBYTE = 1024 ** 2;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

type AskedStream = Partial<StreamConfig> & Pick<StreamConfig, 'name' | 'subjects'>;

/** Streams as data. Only fields that nats-server 2.9 knows; newer servers refuse unknown ones. */
const ASKED_STREAMS: readonly AskedStream[] = [
  {
    name: STREAMS.tasks,
    subjects: ['transcribe.tasks.*.*'],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_msgs: 100_000,
    max_bytes: 256 * MEBIBYTE,
    max_msg_size: 64 * 1024,
    duplicate_window: nanos(10 * 60_000),
    republish: { src: 'transcribe.tasks.>', dest: 'transcribe.wake.>', headers_only: true },
  },
  {
    name: STREAMS.events,
    subjects: [eventSubject('*')],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    // A full disk stalls workers, which is seen, instead of dropping events, which is not.
    discard: DiscardPolicy.New,
    max_age: nanos(14 * DAY_MS),
    max_msg_size: 512 * 1024,
    duplicate_window: nanos(10 * 60_000),
    deny_delete: true,
    allow_direct: true,
    republish: { src: 'transcribe.events.>', dest: 'transcribe.live.events.>' },
  },
  {
    name: STREAMS.progress,
    subjects: [progressSubject('*')],
    retention: RetentionPolicy.Limits,
    storage: StorageType.Memory,
    discard: DiscardPolicy.Old,
    max_msgs_per_subject: 1,
    max_age: nanos(HOUR_MS),
    max_bytes: 64 * MEBIBYTE,
    max_msg_size: 4096,
    duplicate_window: nanos(2 * 60_000),
    republish: { src: 'transcribe.progress.>', dest: 'transcribe.live.progress.>' },
  },
  {
    name: STREAMS.control,
    subjects: [controlSubject('*')],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.Old,
    max_msgs_per_subject: 1,
    max_age: nanos(7 * DAY_MS),
    max_msg_size: 4096,
    duplicate_window: nanos(10 * 60_000),
    republish: { src: 'transcribe.control.>', dest: 'transcribe.live.control.>' },
  },
];

/** What JetStream has is not what the product needs, and cannot be changed in place. */
export class StreamConfigError extends Error {
  override readonly name = 'StreamConfigError';
}

export interface StreamsInfo {
  /** When EVENTS was made, RFC 3339: the epoch of its sequences. */
  readonly eventsCreatedAt: string;
}

/**
 * Makes the streams, or brings them up to date; any number of servers may do it at once.
 *
 * @throws NatsVersionError for a server that is too old; StreamConfigError for a stream that was made otherwise.
 */
export async function ensureStreams(
  nc: NatsConnection,
  log: Logger,
  options: { readonly replicas?: number } = {},
): Promise<StreamsInfo> {
  const replicas = options.replicas ?? 1;
  requireServerVersion(nc.info?.version ?? '', replicas, log);
  const manager = await jetstreamManager(nc);
  let eventsCreatedAt = '';
  for (const stream of ASKED_STREAMS) {
    const asked = { ...stream, num_replicas: replicas };
    const info = await ensureStream(manager, asked);
    if (info.config.name === STREAMS.events) eventsCreatedAt = info.created;
    const differences = differencesOf(asked, info.config);
    if (differences.length > 0) {
      throw new StreamConfigError(
        `Stream ${stream.name} has another ${differences.join(', ')} than asked for. ` +
          `Drain it and delete it (nats stream rm ${stream.name}); the server makes it anew at the next start.`,
      );
    }
  }
  return { eventsCreatedAt };
}

async function ensureStream(
  manager: Awaited<ReturnType<typeof jetstreamManager>>,
  asked: AskedStream & { readonly num_replicas: number },
) {
  try {
    const info = await manager.streams.info(asked.name);
    if (differencesOf(asked, info.config).length === 0) return info;
    const { name, retention, storage, ...changeable } = asked;
    if (retention !== info.config.retention || storage !== info.config.storage) return info;
    return await manager.streams.update(name, changeable).catch((error: unknown) => {
      if (isJetStreamError(error, JETSTREAM_ERRORS.streamUpdateRefused)) return info;
      throw error;
    });
  } catch (error) {
    if (!isJetStreamError(error, JETSTREAM_ERRORS.streamNotFound)) throw error;
    return manager.streams.add(asked);
  }
}

/**
 * Makes the lanes of a queue, or changes them while they run.
 *
 * @param options.concurrency How many jobs of one lane may run at once, over all workers.
 * @param options.ackWaitMs How long a silent worker keeps a job.
 */
export async function ensureLanes(
  nc: NatsConnection,
  queue: QueueName,
  options: { readonly concurrency: number; readonly ackWaitMs?: number },
): Promise<void> {
  const manager = await jetstreamManager(nc);
  for (const priority of JOB_PRIORITIES) {
    const changeable = {
      ack_wait: nanos(options.ackWaitMs ?? 30_000),
      max_ack_pending: options.concurrency,
      // The server decides about retries; JetStream delivers until a worker has stored an outcome.
      max_deliver: -1,
    };
    const asked: Partial<ConsumerConfig> = {
      durable_name: laneConsumer(queue, priority),
      filter_subject: laneSubject(queue, priority),
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      max_waiting: 4096,
      ...changeable,
    };
    const name = laneConsumer(queue, priority);
    const info = await ensureLane(manager, name, asked, changeable);
    const differences = differencesOf(asked, info.config);
    if (differences.length > 0) {
      throw new StreamConfigError(`Consumer ${name} has another ${differences.join(', ')} than asked for.`);
    }
  }
}

async function ensureLane(
  manager: Awaited<ReturnType<typeof jetstreamManager>>,
  name: string,
  asked: Partial<ConsumerConfig>,
  changeable: Partial<ConsumerConfig>,
) {
  try {
    const info = await manager.consumers.info(STREAMS.tasks, name);
    if (differencesOf(asked, info.config).length === 0) return info;
    return await manager.consumers.update(STREAMS.tasks, name, changeable);
  } catch (error) {
    if (!isJetStreamError(error, JETSTREAM_ERRORS.consumerNotFound)) throw error;
    return manager.consumers.add(STREAMS.tasks, asked);
  }
}

/** Old servers ignore what they don't know, so only the echo tells what was really set. */
function differencesOf(asked: object, echoed: object): string[] {
  const actual: Record<string, unknown> = { ...echoed };
  return Object.entries(asked).flatMap(([key, value]) => (sameValue(value, actual[key]) ? [] : [key]));
}

function sameValue(asked: unknown, actual: unknown): boolean {
  if (asked === null || typeof asked !== 'object') return asked === actual;
  if (Array.isArray(asked)) return JSON.stringify(asked) === JSON.stringify(actual);
  if (actual === null || typeof actual !== 'object') return false;
  return differencesOf(asked, actual).length === 0;
}
