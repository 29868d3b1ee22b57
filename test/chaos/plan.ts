import { JOB_PRIORITIES, type JobPriority } from '../../src/domain/vocabulary.ts';
import type { Random } from './random.ts';

/** What the script of a job's recording does, which decides how the job ends unless it is canceled. */
const JOB_KINDS = [
  'plain',
  'failsOnce',
  'mustWait',
  'crashesWorker',
  'refused',
  'neverWorks',
  'poison',
] as const;
export type JobKind = (typeof JOB_KINDS)[number];

export interface PlannedJob {
  /** Its index in the plan, from 0; also in the job's metadata. */
  readonly number: number;
  readonly kind: JobKind;
  readonly url: string;
  readonly priority: JobPriority;
  readonly idempotencyKey: string;
  readonly submitAtMs: number;
  /** When set, submitted again with the same key on the other server, this long after the first answer. */
  readonly repeatAfterMs: number | null;
  readonly scheduledAfterMs: number | null;
  readonly cancelAfterMs: number | null;
  readonly watch: 'segments' | 'progress' | null;
  /** The server that is tried first. */
  readonly server: number;
}

export const FAULT_KINDS = [
  'worker.SIGKILL',
  'worker.SIGSTOP',
  'worker.SIGTERM',
  'server.SIGKILL',
  'server.SIGSTOP',
  'server.SIGTERM',
  'nats.SIGKILL',
  'postgres.SIGKILL',
  'task.duplicate',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface PlannedFault {
  readonly atMs: number;
  readonly kind: FaultKind;
  /** 0 to 1: selects the target among those that exist. */
  readonly choice: number;
  /** How long it stays frozen or down; 0 for other faults. */
  readonly durationMs: number;
}

export interface Plan {
  readonly jobs: readonly PlannedJob[];
  readonly faults: readonly PlannedFault[];
}

/** The average seconds between two faults of a kind. */
const MEAN_SECONDS: Readonly<Record<FaultKind, number>> = {
  'worker.SIGKILL': 9,
  'worker.SIGSTOP': 25,
  'worker.SIGTERM': 30,
  'server.SIGKILL': 25,
  'server.SIGSTOP': 35,
  'server.SIGTERM': 60,
  'nats.SIGKILL': 45,
  'postgres.SIGKILL': 45,
  'task.duplicate': 10,
};

export interface PlanSize {
  readonly jobs: number;
  readonly durationMs: number;
  readonly faults: readonly FaultKind[];
  /** Divides the rate of faults. */
  readonly ease: number;
}

/** The whole run, planned in advance; only the machine's own timing varies. */
export function planChaos(random: Random, size: PlanSize): Plan {
  const jobs = Array.from({ length: size.jobs }, (_, number) =>
    planJob(random.fork(`job/${number}`), number, size.durationMs),
  );
  const faults = size.faults.flatMap((kind) => planFaults(random.fork(kind), kind, size));
  return {
    jobs: jobs.toSorted((a, b) => a.submitAtMs - b.submitAtMs),
    faults: faults.toSorted((a, b) => a.atMs - b.atMs),
  };
}

function planJob(random: Random, number: number, durationMs: number): PlannedJob {
  const kind = kindOf(random.next(), durationMs);
  return {
    number,
    kind,
    url: urlOf(random, number, kind),
    priority: random.pick(JOB_PRIORITIES),
    idempotencyKey: `chaos-job-${number}`,
    submitAtMs: random.integer(0, Math.round(durationMs * 0.9)),
    repeatAfterMs: random.chance(0.15) ? random.integer(0, 5000) : null,
    scheduledAfterMs: random.chance(0.1) ? random.integer(500, 10_000) : null,
    cancelAfterMs: kind !== 'poison' && random.chance(0.15) ? random.integer(0, 8000) : null,
    watch: random.chance(0.35) ? random.pick(['segments', 'progress'] as const) : null,
    server: random.integer(0, 1),
  };
}

function kindOf(chance: number, durationMs: number): JobKind {
  if (chance < 0.7) return 'plain';
  if (chance < 0.8) return 'failsOnce';
  if (chance < 0.85) return 'mustWait';
  if (chance < 0.88) return 'crashesWorker';
  if (chance < 0.94) return 'refused';
  if (chance < 0.98) return 'neverWorks';
  // Three lost workers take minutes to detect.
  return durationMs >= 300_000 && chance < 0.985 ? 'poison' : 'plain';
}

function urlOf(random: Random, number: number, kind: JobKind): string {
  const segments = random.integer(20, 80);
  const paceMs = random.integer(50, 180);
  const after = random.integer(0, segments);
  const query: Readonly<Record<JobKind, string>> = {
    plain: '',
    failsOnce: `?fail=INTERNAL@1&after=${after}`,
    mustWait: `?fail=RATE_LIMITED@1&retryAfterMs=${random.integer(500, 4000)}&after=${after}`,
    crashesWorker: `?crash=1&after=${after}`,
    refused: `?fail=ENGINE_REJECTED@*&after=${after}`,
    neverWorks: `?fail=ENGINE_UNAVAILABLE@*`,
    poison: `?crash=*&after=${after}`,
  };
  return `https://script.test/job${number}/${segments}/1000/${paceMs}${query[kind]}`;
}

function planFaults(
  random: Random,
  kind: FaultKind,
  { durationMs, ease }: PlanSize,
): readonly PlannedFault[] {
  const faults: PlannedFault[] = [];
  const meanMs = MEAN_SECONDS[kind] * 1000 * ease;
  // The first at half the mean, so that a short run has one fault of most kinds.
  for (let atMs = 3000 + random.waitMs(meanMs / 2); atMs < durationMs; atMs += 1000 + random.waitMs(meanMs)) {
    faults.push({ atMs, kind, choice: random.next(), durationMs: durationOf(random, kind) });
  }
  return faults;
}

function durationOf(random: Random, kind: FaultKind): number {
  switch (kind) {
    case 'worker.SIGSTOP':
      // Either short, or so long that another worker has the job when this one resumes.
      return random.chance(0.5) ? random.integer(200, 5000) : random.integer(32_000, 45_000);
    case 'server.SIGSTOP':
      return random.integer(500, 12_000);
    case 'nats.SIGKILL':
    case 'postgres.SIGKILL':
      return random.integer(1000, 5000);
    default:
      return 0;
  }
}
