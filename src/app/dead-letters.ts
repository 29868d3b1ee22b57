import { z } from 'zod';
import { ConfirmationError } from '../domain/errors.ts';
import { isDeadLetter } from '../domain/job.ts';
import type { JobFilter } from '../domain/job-list.ts';
import { advance } from '../domain/lifecycle.ts';
import { contextOf, type LifecyclePorts } from '../domain/lifecycle-events.ts';
import type { Principal } from '../domain/principal.ts';
import type { Broker } from '../messaging/broker.ts';
import type { JobReader } from '../storage/job-reader.ts';
import type { StoredJob } from '../storage/job-rows.ts';
import type { JobStore } from '../storage/job-store.ts';
import type { JobTransaction } from '../storage/job-transaction.ts';
import { requeue } from './retry-job.ts';
import { validate } from './validate.ts';

const BulkJobs = z.object({
  dryRun: z.boolean().nullish(),
  expectedCount: z.number().int().min(0).nullish(),
  limit: z.number().int().min(1).max(10_000).nullish(),
});

/** Rows are locked and changed in transactions of this many, so that none holds locks for long. */
const BATCH_SIZE = 100;

export interface DeadLetterPorts extends LifecyclePorts {
  readonly store: JobStore;
  readonly reader: JobReader;
  readonly broker: Broker;
}

/** Gives dead letters that match the filter another allowance of attempts. */
export function requeueDeadLetters(
  ports: DeadLetterPorts,
  by: Principal,
  input: BulkJobsInput,
): Promise<BulkJobsView> {
  return forEachDeadLetter(ports, by, input, (jobs, stored) =>
    requeue(ports, jobs, stored, { model: null, priority: null }),
  );
}

/** Takes dead letters that match the filter off the list; they stay FAILED, with what was transcribed of them. */
export function discardDeadLetters(
  ports: DeadLetterPorts,
  by: Principal,
  input: BulkJobsInput,
): Promise<BulkJobsView> {
  return forEachDeadLetter(ports, by, input, async (jobs, { job }) => {
    const context = contextOf(ports);
    const moved = advance(job, { type: 'discarded' }, context);
    if (moved.ok) await jobs.apply([{ job: moved.job, at: context.now }]);
  });
}

/** @throws ConfirmationError when the filter matches another number of jobs than `expectedCount`; ValidationError. */
async function forEachDeadLetter(
  ports: DeadLetterPorts,
  by: Principal,
  raw: BulkJobsInput,
  act: (jobs: JobTransaction, stored: StoredJob) => Promise<void>,
): Promise<BulkJobsView> {
  const input = validate(BulkJobs, raw, ['input']);
  const limit = input.limit ?? 1000;
  const filter: JobFilter = { ...raw.filter, deadLettered: true };
  const ids = await ports.reader.ids(by.tenantId, filter, limit);
  const matched = ids.length < limit ? ids.length : await countAll(ports.reader, by, filter);
  const expected = input.expectedCount ?? null;
  if (expected !== null && expected !== matched) {
    throw new ConfirmationError(
      `The filter matches ${matched} dead letters and not the ${expected} that were expected; nothing was changed.`,
      matched,
    );
  }
  if (input.dryRun === true) {
    return { matched, changed: 0, skipped: matched - ids.length, dryRun: true, failures: [] };
  }

  let changed = 0;
  for (let start = 0; start < ids.length; start += BATCH_SIZE) {
    const batch = ids.slice(start, start + BATCH_SIZE);
    changed += await ports.store.transaction(async (jobs) => {
      const locked = await jobs.lock(batch);
      // Somebody may have retried or deleted one since the ids were read.
      const dead = [...locked.values()].filter(({ job }) => isDeadLetter(job));
      for (const stored of dead) await act(jobs, stored);
      return dead.length;
    });
  }
  return { matched, changed, skipped: matched - changed, dryRun: false, failures: [] };
}

/** What is asked to be confirmed is everything that matches, also what `limit` leaves for another call. */
async function countAll(reader: JobReader, by: Principal, filter: JobFilter): Promise<number> {
  return (await reader.count(by.tenantId, filter, Number.MAX_SAFE_INTEGER - 1)) ?? 0;
}

export interface BulkJobsInput {
  readonly filter: JobFilter;
  readonly dryRun?: boolean | null | undefined;
  readonly expectedCount?: number | null | undefined;
  readonly limit?: number | null | undefined;
}

export interface BulkJobsView {
  readonly matched: number;
  readonly changed: number;
  readonly skipped: number;
  readonly dryRun: boolean;
  readonly failures: readonly { readonly id: string; readonly error: Error }[];
}
