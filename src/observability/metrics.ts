import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Logger } from './logger.ts';

/**
 * Every metric of the server. Labels have few values; there are none for jobs or tenants.
 */
export const METRICS = {
  transcription_jobs: {
    help: 'Jobs by queue and status, at most 10 s old.',
    labels: ['queue', 'status'],
  },
  transcription_dead_letters: { help: 'Dead letters that have not been discarded.', labels: ['queue'] },
  transcription_oldest_queued_seconds: {
    help: 'Waiting time of the job that has waited longest; 0 when none is waiting.',
    labels: ['queue'],
  },
  transcription_workers_online: { help: 'Workers that announced themselves recently.', labels: ['queue'] },
  transcription_workers_busy: { help: 'Workers with at least one job.', labels: ['queue'] },
  transcription_engine_available: {
    help: '0 while the circuit breaker of every worker is open, else 1.',
    labels: ['queue'],
  },
  transcription_broker_connected: { help: '1 while this server is connected to NATS.', labels: [] },
  transcription_websocket_connections: { help: 'Open websockets of this server.', labels: [] },
  transcription_subscribers: {
    help: 'Subscriptions to jobs in this server, over all transports.',
    labels: [],
  },
  transcription_events_projected_total: { help: 'Events written to the database.', labels: [] },
  transcription_events_quarantined_total: {
    help: 'Events that could not be applied and need attention.',
    labels: [],
  },
  transcription_tasks_published_total: { help: 'Tasks published for workers.', labels: ['queue'] },
  transcription_http_requests_total: {
    help: 'HTTP requests by route and status.',
    labels: ['route', 'status'],
  },
  transcription_http_request_duration_seconds: {
    help: 'From the request to the end of the response, without event streams.',
    labels: ['route'],
  },
} as const;

type MetricName = keyof typeof METRICS;
type GaugeName = Exclude<MetricName, `${string}_total` | `${string}_duration_seconds`>;

/** A value of a gauge; `labels` in the order of `METRICS`. */
export interface Sample {
  readonly name: GaugeName;
  readonly labels: readonly string[];
  readonly value: number;
}

/** Where the gauges get their values at each scrape. */
export interface MetricSources {
  /** From the database; called at most every 10 s. */
  readonly stored: () => Promise<readonly Sample[]>;
  /** From memory. */
  readonly live: () => readonly Sample[];
}

const STORED_LIFETIME_MS = 10_000;
const DURATION_BUCKETS = [0.005, 0.02, 0.1, 0.5, 2, 10, 60];

export class Metrics {
  readonly #registry = new Registry();
  readonly #gauges = new Map<GaugeName, Gauge>();
  readonly #counters = new Map<MetricName, Counter>();
  readonly #durations: Histogram;
  readonly #log: Logger;
  #sources: MetricSources | null = null;
  #webSockets: () => number = () => 0;
  #stored: { readonly readAt: number; readonly samples: Promise<readonly Sample[]> } | null = null;

  constructor(log: Logger) {
    this.#log = log;
    const registers = [this.#registry];
    const duration = METRICS.transcription_http_request_duration_seconds;
    this.#durations = new Histogram({
      name: 'transcription_http_request_duration_seconds',
      help: duration.help,
      labelNames: [...duration.labels],
      buckets: DURATION_BUCKETS,
      registers,
    });
    for (const name of Object.keys(METRICS) as MetricName[]) {
      const { help, labels } = METRICS[name];
      const options = { name, help, labelNames: [...labels], registers };
      if (name.endsWith('_total')) this.#counters.set(name, new Counter(options));
      else if (isGauge(name)) this.#gauges.set(name, new Gauge(options));
    }
    collectDefaultMetrics({ register: this.#registry });
  }

  /** Call once, when everything that is measured exists. */
  measure(sources: MetricSources): void {
    this.#sources = sources;
  }

  measureWebSockets(count: () => number): void {
    this.#webSockets = count;
  }

  eventsProjected(count: number, quarantined: number): void {
    this.#counters.get('transcription_events_projected_total')?.inc(count - quarantined);
    this.#counters.get('transcription_events_quarantined_total')?.inc(quarantined);
  }

  taskPublished(queue: string): void {
    this.#counters.get('transcription_tasks_published_total')?.inc({ queue });
  }

  /** @param seconds Null for an event stream, which lasts as long as its reader wants. */
  requestEnded(route: string, status: number, seconds: number | null): void {
    this.#counters.get('transcription_http_requests_total')?.inc({ route, status: String(status) });
    if (seconds !== null) this.#durations.observe({ route }, seconds);
  }

  /** All metrics in the format of Prometheus, and its media type. */
  async text(): Promise<{ readonly contentType: string; readonly body: string }> {
    for (const gauge of this.#gauges.values()) gauge.reset();
    const live = this.#sources?.live() ?? [];
    const webSockets = {
      name: 'transcription_websocket_connections',
      labels: [],
      value: this.#webSockets(),
    } as const;
    for (const { name, labels, value } of [...live, webSockets, ...(await this.#readStored())]) {
      const names: readonly string[] = METRICS[name].labels;
      this.#gauges
        .get(name)
        ?.set(Object.fromEntries(names.map((label, at) => [label, labels[at] ?? ''])), value);
    }
    return { contentType: this.#registry.contentType, body: await this.#registry.metrics() };
  }

  /** While the database is away, its figures are left out, since old ones would mislead. */
  async #readStored(): Promise<readonly Sample[]> {
    const now = Date.now();
    if (this.#sources !== null && (this.#stored === null || this.#stored.readAt < now - STORED_LIFETIME_MS)) {
      const samples = this.#sources.stored().catch((err: unknown) => {
        this.#log.warn({ err }, 'cannot read the queue metrics from the database');
        return [];
      });
      this.#stored = { readAt: now, samples };
    }
    return (await this.#stored?.samples) ?? [];
  }
}

function isGauge(name: MetricName): name is GaugeName {
  return !name.endsWith('_total') && !name.endsWith('_duration_seconds');
}
