import { JOB_PRIORITIES, type JobPriority, type QueueName } from '../domain/vocabulary.ts';

/** Names of streams and subjects: the wire protocol's map. docs/protocol.md explains each. */
export const STREAMS = {
  tasks: 'TASKS',
  events: 'EVENTS',
  progress: 'PROGRESS',
  control: 'CONTROL',
} as const;

/** Lane subjects, one for each engine and priority; literal and disjoint, as work queues demand. */
export function laneSubject(queue: QueueName, priority: JobPriority): string {
  return `transcribe.tasks.${queue}.${priority.toLowerCase()}`;
}

/** Durable consumer of a lane, created by the server alone. */
export function laneConsumer(queue: QueueName, priority: JobPriority): string {
  return `lane_${queue}_${priority.toLowerCase()}`;
}

/** Where headers-only copies of new tasks appear, to wake idle workers of a queue. */
export function wakeSubject(queue: QueueName, priority: JobPriority | '*' = '*'): string {
  return `transcribe.wake.${queue}.${priority.toLowerCase()}`;
}

export const eventSubject = (jobId: string): string => `transcribe.events.${jobId}`;
export const progressSubject = (jobId: string): string => `transcribe.progress.${jobId}`;
export const controlSubject = (jobId: string): string => `transcribe.control.${jobId}`;

export const liveEventSubject = (jobId: string): string => `transcribe.live.events.${jobId}`;
export const liveProgressSubject = (jobId: string): string => `transcribe.live.progress.${jobId}`;
export const liveControlSubject = (jobId: string): string => `transcribe.live.control.${jobId}`;

/** Core messages in which workers announce themselves; the last token is the queue they serve. */
export const announcementSubject = (queue: QueueName | '*'): string => `transcribe.workers.${queue}`;

/** The job a subject of EVENTS, PROGRESS, CONTROL or their live copies is about. */
export function jobIdOf(subject: string): string {
  return subject.slice(subject.lastIndexOf('.') + 1);
}

/** All lanes of a queue, from the most to the least urgent. */
export function lanesOf(
  queue: QueueName,
): readonly { readonly priority: JobPriority; readonly consumer: string }[] {
  return JOB_PRIORITIES.toReversed().map((priority) => ({
    priority,
    consumer: laneConsumer(queue, priority),
  }));
}
