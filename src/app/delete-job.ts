import { z } from 'zod';
import { InvalidStateError } from '../domain/errors.ts';
import { admissionOf } from '../domain/job.ts';
import type { Principal } from '../domain/principal.ts';
import { defaulted, validate } from '../domain/validate.ts';
import { FINAL_STATUSES, isFinal } from '../domain/vocabulary.ts';
import { type CancelJobDeps, cancelJob } from './cancel-job.ts';

export const DeleteJobInput = z.object({ id: z.string(), force: defaulted(z.boolean(), false) });
export type DeleteJobInput = z.input<typeof DeleteJobInput>;

/**
 * Deletes a job with its transcript and attempts. A job that is not final is refused, or with `force` canceled first;
 * events of a run that has not stopped yet are ignored.
 *
 * @throws NotFoundError, InvalidStateError, UnavailableError.
 */
export async function deleteJob(
  deps: CancelJobDeps,
  by: Principal,
  input: DeleteJobInput,
): Promise<{ readonly deletedId: string }> {
  const { id, force } = validate(DeleteJobInput, input, ['input']);
  if (force) await cancelJob(deps, by, { id, reason: 'deleted' });
  const taskSequence = await deps.store.transaction(async (jobs) => {
    const stored = await jobs.lockOwn(by.tenantId, id);
    const { status } = stored.job;
    if (!isFinal(status) && !force) {
      throw new InvalidStateError(
        `The job is ${status}; cancel it first, or delete it with \`force: true\`.`,
        status,
        FINAL_STATUSES,
      );
    }
    await jobs.delete([id]);
    return admissionOf(stored.job)?.taskSequence ?? null;
  });
  // A failure leaves a task without a job, which is harmless: its worker was told to stop and its events are ignored.
  if (taskSequence !== null) await deps.broker.deleteTask(taskSequence).catch(() => false);
  return { deletedId: id };
}
