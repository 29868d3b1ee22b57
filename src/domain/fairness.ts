import { Heap } from './heap.ts';
import { JOB_PRIORITIES, type JobPriority } from './vocabulary.ts';

/** A job that could be admitted, with what fairness depends on. */
export interface WaitingJob {
  readonly id: string;
  readonly tenantId: string;
  readonly priority: JobPriority;
  readonly queuedAt: Date;
  /** Jobs of the tenant that are admitted or running in the queue. */
  readonly tenantRunning: number;
  /** How many of the tenant's jobs may be; null means any number. */
  readonly tenantLimit: number | null;
}

/** Of 15 places, CRITICAL gets 8, HIGH 4, NORMAL 2 and LOW 1 while all of them wait, so that LOW never starves. */
export const PRIORITY_WEIGHTS: Readonly<Record<JobPriority, number>> = {
  CRITICAL: 8,
  HIGH: 4,
  NORMAL: 2,
  LOW: 1,
};

/** What each priority is owed, so that the weights also hold when places become free one at a time. */
export type Credits = Readonly<Record<JobPriority, number>>;

export const NO_CREDITS: Credits = { CRITICAL: 0, HIGH: 0, NORMAL: 0, LOW: 0 };

/**
 * Chooses which waiting jobs get the free places: priorities by weight; within a priority the tenant with the
 * fewest running jobs first, then the job that has waited longest. Takes O((jobs + places) · log(jobs)).
 *
 * @param credits From the choice before this one.
 * @returns ids in the order of admission, at most `places`, and the credits for the next choice.
 */
export function chooseFairly(
  waiting: readonly WaitingJob[],
  places: number,
  credits: Credits,
): { readonly ids: readonly string[]; readonly credits: Credits } {
  const lines = linesOf(waiting);
  // The most urgent first: of two classes that are owed the same, it wins.
  const classes = JOB_PRIORITIES.toReversed().map(
    (priority) => new PriorityClass(priority, lines.get(priority) ?? []),
  );
  const owed = { ...credits };
  const ids: string[] = [];
  while (ids.length < places) {
    const winner = nextClass(classes, owed);
    if (winner === null) break;
    ids.push(winner.take().id);
  }
  return { ids, credits: owed };
}

/** Smooth weighted round robin over the classes that have a job to offer; updates what they are owed. */
function nextClass(
  classes: readonly PriorityClass[],
  owed: Record<JobPriority, number>,
): PriorityClass | null {
  let total = 0;
  let winner: PriorityClass | null = null;
  for (const each of classes.filter((candidate) => candidate.hasOffer())) {
    const weight = PRIORITY_WEIGHTS[each.priority];
    total += weight;
    owed[each.priority] += weight;
    if (winner === null || owed[each.priority] > owed[winner.priority]) winner = each;
  }
  if (winner !== null) owed[winner.priority] -= total;
  return winner;
}

interface Tenant {
  running: number;
  readonly limit: number | null;
  readonly lines: Partial<Record<JobPriority, Line>>;
}

/** The waiting jobs of one tenant in one priority, the oldest first. */
interface Line {
  readonly tenant: Tenant;
  readonly jobs: WaitingJob[];
  next: number;
  /** `tenant.running` when the line was last put in its place. */
  running: number;
}

/** The lines of each priority. All lines of a tenant share it, since a job of any priority counts as running. */
function linesOf(waiting: readonly WaitingJob[]): ReadonlyMap<JobPriority, readonly Line[]> {
  const tenants = new Map<string, Tenant>();
  const lines = new Map<JobPriority, Line[]>(JOB_PRIORITIES.map((priority) => [priority, []]));
  const unsorted = new Set<Line>();
  for (const job of waiting) {
    let tenant = tenants.get(job.tenantId);
    if (tenant === undefined) {
      tenant = { running: job.tenantRunning, limit: job.tenantLimit, lines: {} };
      tenants.set(job.tenantId, tenant);
    }
    const line = tenant.lines[job.priority];
    if (line === undefined) {
      const opened = { tenant, jobs: [job], next: 0, running: tenant.running };
      tenant.lines[job.priority] = opened;
      lines.get(job.priority)?.push(opened);
      continue;
    }
    // The database returns them in order.
    if (byAge(line.jobs.at(-1) as WaitingJob, job) > 0) unsorted.add(line);
    line.jobs.push(job);
  }
  for (const { jobs } of unsorted) jobs.sort(byAge);
  return lines;
}

/** The jobs of one priority. */
class PriorityClass {
  readonly priority: JobPriority;
  readonly #fairestFirst = new Heap<Line>((a, b) => a.running - b.running || byAge(headOf(a), headOf(b)));

  constructor(priority: JobPriority, lines: readonly Line[]) {
    this.priority = priority;
    for (const line of lines) this.#fairestFirst.add(line);
  }

  /** Brings the fairest line to the front. Counts of running jobs only rise, so a line never moves forward. */
  hasOffer(): boolean {
    for (let line = this.#fairestFirst.first; line !== undefined; line = this.#fairestFirst.first) {
      const { running, limit } = line.tenant;
      if (limit !== null && running >= limit) this.#fairestFirst.removeFirst();
      else if (line.running !== running) {
        line.running = running;
        this.#fairestFirst.moveFirst();
      } else return true;
    }
    return false;
  }

  /** Removes the job on offer and counts it as running. */
  take(): WaitingJob {
    const line = this.#fairestFirst.first;
    if (line === undefined) throw new RangeError(`no ${this.priority} job is on offer`);
    const job = headOf(line);
    line.tenant.running += 1;
    line.running = line.tenant.running;
    line.next += 1;
    if (line.next === line.jobs.length) this.#fairestFirst.removeFirst();
    else this.#fairestFirst.moveFirst();
    return job;
  }
}

const headOf = (line: Line): WaitingJob => line.jobs[line.next] as WaitingJob;

const byAge = (a: WaitingJob, b: WaitingJob): number =>
  a.queuedAt.getTime() - b.queuedAt.getTime() || (a.id < b.id ? -1 : 1);
