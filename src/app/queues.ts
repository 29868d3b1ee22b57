import { z } from 'zod';
import type { Environment } from '../domain/environment.ts';
import { NotFoundError } from '../domain/errors.ts';
import type { Principal } from '../domain/principal.ts';
import type { QueueStatsView, QueueView } from '../domain/queue-view.ts';
import { integer, text, validate } from '../domain/validate.ts';
import { ENGINES, type QueueName, queueOf } from '../domain/vocabulary.ts';
import type { WorkerRegistry } from '../live/worker-registry.ts';
import type { Broker } from '../messaging/broker.ts';
import type { Logger } from '../observability/logger.ts';
import type { Storage } from '../storage/open-storage.ts';

export const PauseQueueInput = z.object({ name: z.string(), reason: text(3, 200) });
export type PauseQueueInput = z.input<typeof PauseQueueInput>;

export const ResumeQueueInput = z.object({ name: z.string() });
export type ResumeQueueInput = z.input<typeof ResumeQueueInput>;

export const SetQueueConcurrencyInput = z.object({ name: z.string(), concurrency: integer(0, 1000) });
export type SetQueueConcurrencyInput = z.input<typeof SetQueueConcurrencyInput>;

export interface QueueDeps extends Pick<Storage, 'queues' | 'schedule'> {
  readonly broker: Broker;
  /** Brings the lanes in NATS to the settings of their queues. */
  readonly lanes: { ensureLanes(): Promise<void> };
  readonly registry: WorkerRegistry;
  readonly environment: Pick<Environment, 'now'>;
  readonly log: Logger;
}

/** @throws NotFoundError, ValidationError, UnavailableError. */
export async function pauseQueue(deps: QueueDeps, by: Principal, input: PauseQueueInput): Promise<QueueView> {
  const { name, reason } = validate(PauseQueueInput, input, ['input']);
  const pause = { by: by.actor, reason, at: deps.environment.now() };
  return followQueue(deps, await deps.queues.update(queueNamed(name), { pause }));
}

export async function resumeQueue(deps: QueueDeps, input: ResumeQueueInput): Promise<QueueView> {
  const { name } = validate(ResumeQueueInput, input, ['input']);
  return followQueue(deps, await deps.queues.update(queueNamed(name), { resume: true }));
}

export async function setQueueConcurrency(
  deps: QueueDeps,
  input: SetQueueConcurrencyInput,
): Promise<QueueView> {
  const { name, concurrency } = validate(SetQueueConcurrencyInput, input, ['input']);
  return followQueue(deps, await deps.queues.update(queueNamed(name), { concurrency }));
}

/** Takes back the tasks of a stopped queue that no worker has begun, and brings its lanes to the new settings. */
async function followQueue(
  { schedule, broker, lanes, log }: QueueDeps,
  queue: QueueView,
): Promise<QueueView> {
  const isStopped = queue.isPaused || queue.concurrency === 0;
  const withdrawn = isStopped ? await schedule.withdraw(queue.name) : [];
  try {
    for (const sequence of withdrawn) await broker.deleteTask(sequence);
    await lanes.ensureLanes();
  } catch (err) {
    // The setting is stored; the lanes follow with the next connection, and a stray task only starts a job early.
    log.warn({ err, queue: queue.name }, 'could not update the lanes of a queue yet');
  }
  return queue;
}

/** @param name One queue, or null for all of them together. */
export async function readQueueStats(
  { queues, registry, environment }: Pick<QueueDeps, 'queues' | 'registry' | 'environment'>,
  name: string | null,
  windowMs: number,
): Promise<QueueStatsView> {
  const queue = name === null ? null : queueNamed(name);
  const at = environment.now();
  const stored = await queues.stats(queue, new Date(at.getTime() - windowMs), at);
  return { ...stored, ...registry.summary(queue), queue, at };
}

const QUEUES = ENGINES.map(queueOf);

function queueNamed(name: string): QueueName {
  const queue = QUEUES.find((candidate) => candidate === name);
  if (queue !== undefined) return queue;
  throw new NotFoundError(`queue named ${name} (there are ${QUEUES.join(', ')})`, null, ['input', 'name']);
}
