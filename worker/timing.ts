/** The protocol's times (docs/protocol.md), in one place so that tests can shorten them. */
export interface WorkerTiming {
  readonly heartbeatMs: number;
  /** Without an answer of NATS for this long, a run gives itself up: another worker has the job by then. */
  readonly fenceMs: number;
  readonly publishTimeoutMs: number;
  readonly publishRetryMs: number;
  /** How long a worker listens for signs of life of the run it would take over. */
  readonly lookForLifeMs: number;
  /** Least time between two progress, and the longest a running job goes without one. */
  readonly progressMs: number;
  readonly livenessMs: number;
  /** Segments that come within this time travel together. */
  readonly coalesceMs: number;
  /** Least time between two segments events of a job. */
  readonly segmentsIntervalMs: number;
  /** How long an idle worker waits for a wake-up before it looks by itself. */
  readonly idleMs: number;
  readonly announceMs: number;
  /** How long an aborted engine may take to let go before the worker goes on without it. */
  readonly engineAbortMs: number;
}

export const WORKER_TIMING: WorkerTiming = {
  heartbeatMs: 10_000,
  fenceMs: 30_000,
  publishTimeoutMs: 5_000,
  publishRetryMs: 500,
  lookForLifeMs: 3_000,
  progressMs: 250,
  livenessMs: 2_000,
  coalesceMs: 50,
  segmentsIntervalMs: 300,
  idleMs: 1_500,
  announceMs: 5_000,
  engineAbortMs: 5_000,
};
