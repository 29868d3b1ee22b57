/** The times of docs/protocol.md, in one place so that tests can shorten them. */
export interface WorkerTiming {
  readonly heartbeatMs: number;
  /** A run without an answer of NATS for this long ends itself: another worker may have the job by then. */
  readonly fenceMs: number;
  readonly publishTimeoutMs: number;
  readonly publishRetryMs: number;
  /** How long a worker waits for activity of the run that it would take over. */
  readonly activityCheckMs: number;
  /** The least time between two progress messages of a run. */
  readonly progressMs: number;
  /** The longest time between two progress messages of a run. */
  readonly livenessMs: number;
  /** Segments that come within this time share an event. */
  readonly coalesceMs: number;
  /** The least time between two `segments` events of a run. */
  readonly segmentsIntervalMs: number;
  /** How long an idle worker waits to be woken before it pulls again. */
  readonly idleMs: number;
  readonly announceMs: number;
  /** How long an aborted engine may take to return before the worker goes on without it. */
  readonly engineAbortMs: number;
}

export const WORKER_TIMING: WorkerTiming = {
  heartbeatMs: 10_000,
  fenceMs: 30_000,
  publishTimeoutMs: 5_000,
  publishRetryMs: 500,
  activityCheckMs: 3_000,
  progressMs: 250,
  livenessMs: 2_000,
  coalesceMs: 50,
  segmentsIntervalMs: 300,
  idleMs: 1_500,
  announceMs: 5_000,
  engineAbortMs: 5_000,
};
