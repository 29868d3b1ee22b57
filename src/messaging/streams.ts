import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
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
import { isJetStreamError, JETSTREAM_ERRORS, withManager } from './jetstream.ts';
import { requireServerVersion } from './server-version.ts';

const MEBIBYTE = 1024 ** 2;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

type WantedStream = Partial<StreamConfig> & Pick<StreamConfig, 'name' | 'subjects'>;

/** The streams as data. Only fields that nats-server 2.9 supports: a server from 2.12 on refuses fields that it does not. */
const STREAM_CONFIGS: readonly WantedStream[] = [
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
    // With a full disk, workers stall visibly; dropping old events would go unnoticed.
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

/** JetStream has a stream or consumer with another configuration, and cannot change it in place. */
export class StreamConfigError extends Error {
  override readonly name = 'StreamConfigError';
}

export interface StreamsInfo {
  /** When EVENTS was created, RFC 3339: the epoch of its sequences. */
  readonly eventsCreatedAt: string;
}

/**
 * Creates the streams, or updates them; several servers may do so at the same time.
 *
 * @param options.replicas Copies of each stream that is kept on disk; more than one needs a cluster. A stream that has
 *   more keeps them. PROGRESS, which may be lost, is in memory and has one.
 * @throws NatsVersionError for a server that is too old; StreamConfigError for a stream that has another configuration.
 */
export async function ensureStreams(
  nc: NatsConnection,
  log: Logger,
  options: { readonly replicas?: number } = {},
): Promise<StreamsInfo> {
  const replicas = options.replicas ?? 1;
  requireServerVersion(nc.info?.version ?? '', replicas, log);
  let eventsCreatedAt = '';
  for (const stream of STREAM_CONFIGS) {
    const wanted = { ...stream, num_replicas: stream.storage === StorageType.Memory ? 1 : replicas };
    const info = await withManager(nc, (manager) => ensureStream(manager, wanted));
    if (info.config.name === STREAMS.events) eventsCreatedAt = info.created;
    const differences = differencesOf(withoutScalingDown(wanted, info.config), info.config);
    if (differences.length > 0) {
      throw new StreamConfigError(
        `Stream ${stream.name} has an unexpected ${differences.join(', ')}. Drain it and delete it ` +
          `(nats stream rm ${stream.name}); the server creates it again at its next start.`,
      );
    }
  }
  return { eventsCreatedAt };
}

interface Replicated {
  readonly num_replicas: number;
}

/** More replicas than wanted are an operator's decision, which stays. */
function withoutScalingDown<Wanted extends Replicated>(wanted: Wanted, actual: Replicated): Wanted {
  return { ...wanted, num_replicas: Math.max(wanted.num_replicas, actual.num_replicas) };
}

async function ensureStream(manager: JetStreamManager, wanted: WantedStream & Replicated) {
  try {
    const info = await manager.streams.info(wanted.name);
    const kept = withoutScalingDown(wanted, info.config);
    if (differencesOf(kept, info.config).length === 0) return info;
    const { name, retention, storage, ...changeable } = kept;
    if (retention !== info.config.retention || storage !== info.config.storage) return info;
    return await manager.streams.update(name, changeable).catch((error: unknown) => {
      if (isJetStreamError(error, JETSTREAM_ERRORS.streamUpdateRefused)) return info;
      throw error;
    });
  } catch (error) {
    if (!isJetStreamError(error, JETSTREAM_ERRORS.streamNotFound)) throw error;
    return manager.streams.add(wanted);
  }
}

/**
 * Creates the lanes of a queue, or updates them while they are in use.
 *
 * @param options.concurrency How many jobs of one lane may run at the same time, over all workers.
 * @param options.ackWaitMs After how long without a heartbeat a task goes to another worker.
 */
export async function ensureLanes(
  nc: NatsConnection,
  queue: QueueName,
  options: { readonly concurrency: number; readonly ackWaitMs?: number },
): Promise<void> {
  for (const priority of JOB_PRIORITIES) {
    const changeable = {
      ack_wait: nanos(options.ackWaitMs ?? 30_000),
      max_ack_pending: options.concurrency,
      // The server decides about retries; JetStream delivers until a worker has stored the end of the run.
      max_deliver: -1,
    };
    const wanted: Partial<ConsumerConfig> = {
      durable_name: laneConsumer(queue, priority),
      filter_subject: laneSubject(queue, priority),
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      max_waiting: 4096,
      ...changeable,
    };
    const name = laneConsumer(queue, priority);
    const info = await withManager(nc, (manager) => ensureLane(manager, name, wanted, changeable));
    const differences = differencesOf(wanted, info.config);
    if (differences.length > 0) {
      throw new StreamConfigError(`Consumer ${name} has an unexpected ${differences.join(', ')}.`);
    }
  }
}

async function ensureLane(
  manager: JetStreamManager,
  name: string,
  wanted: Partial<ConsumerConfig>,
  changeable: Partial<ConsumerConfig>,
) {
  try {
    const info = await manager.consumers.info(STREAMS.tasks, name);
    if (differencesOf(wanted, info.config).length === 0) return info;
    return await manager.consumers.update(STREAMS.tasks, name, changeable);
  } catch (error) {
    if (!isJetStreamError(error, JETSTREAM_ERRORS.consumerNotFound)) throw error;
    return manager.consumers.add(STREAMS.tasks, wanted);
  }
}

/** Old servers ignore fields that they do not know, so only their answer shows what was set. */
function differencesOf(wanted: object, answered: object): string[] {
  const actual: Record<string, unknown> = { ...answered };
  return Object.entries(wanted).flatMap(([key, value]) => (sameValue(value, actual[key]) ? [] : [key]));
}

function sameValue(wanted: unknown, actual: unknown): boolean {
  if (wanted === null || typeof wanted !== 'object') return wanted === actual;
  if (Array.isArray(wanted)) return JSON.stringify(wanted) === JSON.stringify(actual);
  if (actual === null || typeof actual !== 'object') return false;
  return differencesOf(wanted, actual).length === 0;
}
