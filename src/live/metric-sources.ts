import { ENGINES, queueOf } from '../domain/vocabulary.ts';
import type { MetricSources, Sample } from '../observability/metrics.ts';
import type { QueueStore } from '../storage/queue-store.ts';
import type { Hub } from './hub.ts';
import type { WorkerRegistry } from './worker-registry.ts';

export interface MeasuredParts {
  readonly queues: QueueStore;
  readonly hub: Hub;
  readonly registry: WorkerRegistry;
  readonly brokerConnected: () => boolean;
}

const QUEUES = ENGINES.map(queueOf);
/** The shortest, since only the counts of waiting and running jobs are used. */
const WINDOW_MS = 1000;

/** Values of the server's gauges, which src/observability/metrics.ts defines. */
export function createMetricSources(parts: MeasuredParts): MetricSources {
  return {
    stored: async () => (await Promise.all(QUEUES.map((queue) => storedSamples(parts, queue)))).flat(),
    live: () => [
      { name: 'transcription_broker_connected', labels: [], value: Number(parts.brokerConnected()) },
      { name: 'transcription_subscribers', labels: [], value: parts.hub.subscribers },
      ...QUEUES.flatMap((queue) => workerSamples(parts.registry, queue)),
    ],
  };
}

type Queue = (typeof QUEUES)[number];

async function storedSamples({ queues }: MeasuredParts, queue: Queue): Promise<readonly Sample[]> {
  const now = new Date();
  const stats = await queues.stats(queue, new Date(now.getTime() - WINDOW_MS), now);
  const waitedMs = stats.oldestQueuedAt === null ? 0 : now.getTime() - stats.oldestQueuedAt.getTime();
  const jobs = (status: string, value: number): Sample => ({
    name: 'transcription_jobs',
    labels: [queue, status],
    value,
  });
  return [
    jobs('SCHEDULED', stats.scheduled),
    jobs('QUEUED', stats.queued),
    jobs('PROCESSING', stats.processing),
    jobs('RETRYING', stats.retrying),
    { name: 'transcription_dead_letters', labels: [queue], value: stats.deadLettered },
    { name: 'transcription_oldest_queued_seconds', labels: [queue], value: Math.max(0, waitedMs / 1000) },
  ];
}

function workerSamples(registry: WorkerRegistry, queue: Queue): readonly Sample[] {
  const { workersOnline, workersBusy, engineAvailable } = registry.summary(queue);
  return [
    { name: 'transcription_workers_online', labels: [queue], value: workersOnline },
    { name: 'transcription_workers_busy', labels: [queue], value: workersBusy },
    { name: 'transcription_engine_available', labels: [queue], value: Number(engineAvailable) },
  ];
}
