import { InvalidStateError, NotFoundError } from '../domain/errors.ts';
import { admissionOf } from '../domain/job.ts';
import type { Principal } from '../domain/principal.ts';
import { FINAL_STATUSES, isFinal } from '../domain/vocabulary.ts';
import { type CancelJobPorts, cancelJob } from './cancel-job.ts';

/**
 * Removes a job with its transcript and attempts. A job that is not final is refused, or with `force` canceled first;
 * a run that has not heard of it yet reports to nobody: its events are refused.
 *
 * @throws NotFoundError, InvalidStateError, UnavailableError.
 */
export async function deleteJob(
  ports: CancelJobPorts,
  by: Principal,
  input: DeleteJobInput,
): Promise<{ readonly deletedId: string }> {
  if (input.force === true) await cancelJob(ports, by, { id: input.id, reason: 'deleted' });
  const taskSequence = await ports.store.transaction(async (jobs) => {
    const stored = (await jobs.lock([input.id])).get(input.id);
    if (stored === undefined || stored.tenantId !== by.tenantId) {
      throw new NotFoundError('job', input.id, ['input', 'id']);
    }
    const { status } = stored.job;
    if (!isFinal(status) && input.force !== true) {
      throw new InvalidStateError(
        `The job is ${status}; cancel it first, or delete it with \`force: true\`.`,
        status,
        FINAL_STATUSES,
      );
    }
    await jobs.delete([input.id]);
    return admissionOf(stored.job)?.taskSequence ?? null;
  });
  // Best effort: a task without a job is harmless, as its worker was told to stop and its events go nowhere.
  if (taskSequence !== null) await ports.broker.deleteTask(taskSequence).catch(() => false);
  return { deletedId: input.id };
}

export interface DeleteJobInput {
  readonly id: string;
  /** Cancel first when still running. */
  readonly force?: boolean | null | undefined;
}
