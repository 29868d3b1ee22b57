import { JOB_PRIORITIES, type JobPriority, type QueueName } from '../domain/vocabulary.ts';

/** The names of streams, subjects and consumers. docs/protocol.md explains each. */
export const STREAMS = {
  tasks: 'TASKS',
  events: 'EVENTS',
  progress: 'PROGRESS',
  control: 'CONTROL',
} as const;

/** The subject of a lane. Lanes are literal and disjoint, which a work queue requires. */
export function laneSubject(queue: QueueName, priority: JobPriority): string {
  return `transcribe.tasks.${queue}.${priority.toLowerCase()}`;
}

/** The durable consumer of a lane. Only servers create it. */
export function laneConsumer(queue: QueueName, priority: JobPriority): string {
  return `lane_${queue}_${priority.toLowerCase()}`;
}

/** JetStream republishes new tasks here without their bodies, to wake idle workers. */
export function wakeSubject(queue: QueueName, priority: JobPriority | '*' = '*'): string {
  return `transcribe.wake.${queue}.${priority.toLowerCase()}`;
}

export const eventSubject = (jobId: string): string => `transcribe.events.${jobId}`;
export const progressSubject = (jobId: string): string => `transcribe.progress.${jobId}`;
export const controlSubject = (jobId: string): string => `transcribe.control.${jobId}`;

export const liveEventSubject = (jobId: string): string => `transcribe.live.events.${jobId}`;
export const liveProgressSubject = (jobId: string): string => `transcribe.live.progress.${jobId}`;
export const liveControlSubject = (jobId: string): string => `transcribe.live.control.${jobId}`;

/** Workers announce themselves here, by core NATS; the last token is the queue that they serve. */
export const announcementSubject = (queue: QueueName | '*'): string => `transcribe.workers.${queue}`;

/** The job that a subject of EVENTS, PROGRESS, CONTROL or their live copies is about. */
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
