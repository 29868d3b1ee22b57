import { z } from 'zod';
import { ConfirmationError } from '../domain/errors.ts';
import { isDeadLetter } from '../domain/job.ts';
import { DEFAULT_PAGE_SIZE, JobFilter } from '../domain/job-list.ts';
import type { FailureGroupView } from '../domain/job-view.ts';
import { advance } from '../domain/lifecycle.ts';
import { contextOf, type LifecyclePorts } from '../domain/lifecycle-events.ts';
import type { Principal } from '../domain/principal.ts';
import { defaulted, integer, optional, validate } from '../domain/validate.ts';
import type { Broker } from '../messaging/broker.ts';
import type { StoredJob } from '../storage/job-rows.ts';
import type { JobTransaction } from '../storage/job-transaction.ts';
import type { Storage } from '../storage/open-storage.ts';
import { requeue } from './retry-job.ts';

export const DEFAULT_BULK_LIMIT = 1000;
/** Rows are locked and changed in transactions of this many, so that none holds locks for long. */
const BATCH_SIZE = 100;

export const BulkJobsInput = z.object({
  filter: JobFilter,
  dryRun: defaulted(z.boolean(), false),
  expectedCount: optional(z.int().min(0)),
  limit: defaulted(integer(1, 10_000), DEFAULT_BULK_LIMIT),
});
export type BulkJobsInput = z.input<typeof BulkJobsInput>;

export interface BulkJobsView {
  readonly matched: number;
  readonly changed: number;
  readonly skipped: number;
  readonly dryRun: boolean;
  readonly failures: readonly { readonly id: string; readonly error: Error }[];
}

export interface DeadLetterDeps extends Pick<Storage, 'store' | 'reader'>, LifecyclePorts {
  readonly broker: Broker;
}

/** Runs the dead letters that match the filter again, each with as many attempts as at first. */
export function requeueDeadLetters(
  deps: DeadLetterDeps,
  by: Principal,
  input: BulkJobsInput,
): Promise<BulkJobsView> {
  return forEachDeadLetter(deps, by, input, (jobs, stored) =>
    requeue(deps, jobs, stored, { model: null, priority: null }),
  );
}

/** Removes dead letters that match the filter from the list; they stay FAILED, with their transcript so far. */
export function discardDeadLetters(
  deps: DeadLetterDeps,
  by: Principal,
  input: BulkJobsInput,
): Promise<BulkJobsView> {
  return forEachDeadLetter(deps, by, input, async (jobs, { job }) => {
    const context = contextOf(deps);
    const moved = advance(job, { type: 'discarded' }, context);
    if (moved.ok) await jobs.apply([{ job: moved.job, at: context.now }]);
  });
}

/** @throws ConfirmationError when the filter matches another number of jobs than `expectedCount`; ValidationError. */
async function forEachDeadLetter(
  { store, reader }: DeadLetterDeps,
  by: Principal,
  input: BulkJobsInput,
  act: (jobs: JobTransaction, stored: StoredJob) => Promise<void>,
): Promise<BulkJobsView> {
  const { limit, dryRun, expectedCount, ...valid } = validate(BulkJobsInput, input, ['input']);
  const filter: JobFilter = { ...valid.filter, deadLettered: true };
  const ids = await reader.ids(by.tenantId, filter, limit);
  // All that match are confirmed, also those that `limit` leaves for another call.
  const matched =
    ids.length < limit ? ids.length : await reader.count(by.tenantId, filter, Number.MAX_SAFE_INTEGER - 1);
  if (matched === null) throw new RangeError('more jobs than can be counted');
  if (expectedCount !== null && expectedCount !== matched) {
    const message = `The filter matches ${matched} dead letters, not ${expectedCount}; nothing was changed.`;
    throw new ConfirmationError(message, matched);
  }
  if (dryRun) return { matched, changed: 0, skipped: matched - ids.length, dryRun, failures: [] };

  let changed = 0;
  for (let start = 0; start < ids.length; start += BATCH_SIZE) {
    const batch = ids.slice(start, start + BATCH_SIZE);
    changed += await store.transaction(async (jobs) => {
      const locked = await jobs.lock(batch);
      // Another call may have retried or deleted some since the ids were read.
      const dead = [...locked.values()].filter(({ job }) => isDeadLetter(job));
      for (const stored of dead) await act(jobs, stored);
      return dead.length;
    });
  }
  return { matched, changed, skipped: matched - changed, dryRun, failures: [] };
}

export const FailureGroupsInput = z.object({
  filter: defaulted(JobFilter, {}),
  first: defaulted(integer(1, 50), DEFAULT_PAGE_SIZE),
});
export type FailureGroupsInput = z.input<typeof FailureGroupsInput>;

/** Failures by cause, the most frequent first. */
export function groupFailures(
  { reader }: Pick<Storage, 'reader'>,
  by: Principal,
  input: FailureGroupsInput,
): Promise<readonly FailureGroupView[]> {
  const { filter, first } = validate(FailureGroupsInput, input, []);
  return reader.failureGroups(by.tenantId, filter, first);
}
