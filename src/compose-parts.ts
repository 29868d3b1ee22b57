import type { Edge } from './compose-edge.ts';
import type { Storage } from './compose-storage.ts';
import type { ServerConfig } from './config/config.ts';
import type { Hub } from './live/hub.ts';
import type { WorkerRegistry } from './live/worker-registry.ts';
import type { NatsSession } from './messaging/session.ts';
import type { Logger } from './observability/logger.ts';
import type { Metrics } from './observability/metrics.ts';

/** What the parts of the server are built from. */
export interface Parts {
  readonly config: ServerConfig;
  readonly log: Logger;
  readonly storage: Storage;
  readonly session: NatsSession;
  readonly edge: Edge;
  readonly live: Live;
  readonly metrics: Metrics | null;
}

export interface Live {
  readonly hub: Hub;
  readonly registry: WorkerRegistry;
}
