import { applyEvent } from '../../src/app/apply-event.ts';
import type { EventMessage, TaskMessage } from '../../src/contract/messages.ts';
import { deadlineFailure, poisonFailure } from '../../src/domain/failures.ts';
import { admissionOf, type Job } from '../../src/domain/job.ts';
import type { JobUpdate } from '../../src/domain/job-update.ts';
import { advance } from '../../src/domain/lifecycle.ts';
import type { Refusal, ServerEvent } from '../../src/domain/lifecycle-events.ts';
import type { Checkpoint, Segment } from '../../src/domain/transcript.ts';
import { type AttemptOutcome, type Failure, isFinal } from '../../src/domain/vocabulary.ts';
import { endingEvent, type ServerEnd } from '../../src/messaging/server-events.ts';
import { decideRun, type RunPlan } from '../../worker/run/decide-run.ts';
import { aSegment, aTask, JOB_ID, later, NOON, POLICY } from './builders.ts';

/** The transcript of the recording, whichever worker makes it. */
export const SCRIPT: readonly Segment[] = Array.from({ length: 4 }, (_, index) =>
  aSegment({ index, startMs: index * 1_000, endMs: index * 1_000 + 900, text: `Sentence ${index}.` }),
);

type DraftOf<Event> = Event extends EventMessage ? Omit<Event, keyof Common> : never;
type Common = Omit<Extract<EventMessage, { type: 'canceled' }>, 'type'>;
type Draft = DraftOf<EventMessage>;

interface Run {
  readonly runId: string;
  readonly plan: RunPlan;
  readonly task: TaskMessage;
  ordinal: number;
  checkpoint: Checkpoint;
}

/**
 * One job in a model of the whole service: tasks, the chain of events, the projector and the rows, with the decisions of
 * the real server and workers. Each method is something that may happen next; where it cannot, it does nothing.
 */
export class Fleet {
  job: Job;
  /** The job's events in EVENTS. */
  readonly chain: EventMessage[] = [];
  /** How many events of the chain the projector has read. */
  read = 0;
  /** The length of the chain when the job was last retried by hand. */
  retriedAt = 0;
  transcript: Segment[] = [];
  readonly attempts = new Map<number, AttemptOutcome | null>();
  now = NOON;
  #tasks: TaskMessage[] = [];
  #run: Run | null = null;
  #runIds = 0;
  #cancelSent = false;
  readonly #onUpdate: (before: Job, event: EventMessage, update: JobUpdate) => void;

  constructor(job: Job, onUpdate: (before: Job, event: EventMessage, update: JobUpdate) => void) {
    this.job = job;
    this.#onUpdate = onUpdate;
  }

  get #tail(): EventMessage | null {
    return this.chain.at(-1) ?? null;
  }

  // The server.

  /** Time passes: a waiting job is due, or gets its task. */
  admit(): void {
    if (this.job.status === 'SCHEDULED') this.now = this.job.scheduledFor;
    if (this.job.status === 'RETRYING') this.now = this.job.nextAttemptAt;
    if (this.job.status === 'SCHEDULED' || this.job.status === 'RETRYING') this.#advance({ type: 'due' });
    else if (this.job.status === 'QUEUED') {
      // An admitted job gets another copy of its task: the reconciler did not find the first.
      this.#advance({ type: this.job.admission === null ? 'admitted' : 'readmitted' });
      this.#tasks.push(aTask({ attempt: this.job.attempt + 1, resume: this.job.checkpoint }));
    }
  }

  /** @returns why the event was refused, or null. */
  #advance(event: ServerEvent): Refusal | null {
    const moved = advance(this.job, event, { now: this.now, random: 0.5, policy: POLICY });
    if (!moved.ok) return moved.refusal;
    this.job = moved.job;
    return null;
  }

  cancel(): void {
    this.#advance({ type: 'cancelRequested' });
    if (admissionOf(this.job) === null) return;
    if (this.job.status === 'QUEUED' && this.#endRun({ type: 'canceled' })) return;
    this.#cancelSent = true;
  }

  /** The reconciler ends a run that was silent for too long. */
  lose(): void {
    if (this.job.status === 'PROCESSING' && this.#endRun({ type: 'lost' })) this.#run = null;
  }

  /** The deadline passes while the job waits. */
  expire(): void {
    const { deadline, status } = this.job;
    if (deadline === null || isFinal(status) || status === 'PROCESSING') return;
    this.now = new Date(Math.max(this.now.getTime(), deadline.getTime()));
    const refusal = this.#advance({ type: 'deadlinePassed' });
    if (refusal === 'ON_CHAIN') this.#endRun({ type: 'failed', failure: deadlineFailure(null) });
  }

  /** The server ends a run or a job on the chain and stores that at once, without waiting for the projector. */
  #endRun(end: ServerEnd): boolean {
    const tail = this.#tail;
    const last = tail === null ? null : { event: tail, malformed: null, sequence: this.chain.length };
    const event = endingEvent(JOB_ID, last, end, this.job.attempt, this.now);
    if (event === null) return false;
    this.chain.push(event);
    this.apply(event);
    return true;
  }

  retry(startOver: boolean): void {
    if (this.#advance({ type: 'retried', startOver }) !== null) return;
    this.retriedAt = this.chain.length;
    if (startOver) this.transcript = [];
  }

  /** The projector reads the next event. @returns why it was refused, or null. */
  project(): Refusal | null {
    const event = this.chain[this.read];
    if (event === undefined) return null;
    this.read += 1;
    return this.apply(event);
  }

  apply(event: EventMessage): Refusal | null {
    this.now = later(1, this.now);
    const before = this.job;
    const applied = applyEvent(before, event, new Date(event.at), {
      now: this.now,
      random: 0.5,
      policy: POLICY,
    });
    if (!applied.ok) return applied.refusal;
    this.#store(applied.update);
    this.#onUpdate(before, event, applied.update);
    return null;
  }

  #store(update: JobUpdate): void {
    this.job = update.job;
    for (const { number, outcome } of update.attemptEnded ?? []) {
      if (this.attempts.get(number) === null) this.attempts.set(number, outcome);
    }
    if (update.attemptStarted !== undefined) this.attempts.set(update.attemptStarted.number, null);
    if (update.dropSegmentsFrom !== undefined) {
      this.transcript = this.transcript.slice(0, update.dropSegmentsFrom);
    }
    this.transcript.push(...(update.segments ?? []));
  }

  // The workers.

  /** A worker pulls a task and decides what to do with it. */
  deliver(pick: number): void {
    const task = this.#tasks[pick % Math.max(1, this.#tasks.length)];
    if (task === undefined) return;
    const tail = this.#tail;
    const decision = decideRun({
      task,
      deliveredCount: 1 + (pick % 2),
      last: tail === null ? null : { event: tail, sequence: this.chain.length },
      cancelRequested: this.#cancelSent,
      isOtherRunActive: this.#run !== null,
    });
    if (decision.action === 'drop') this.#acknowledge(task);
    if (!('plan' in decision)) return;
    const { plan } = decision;
    const runId = `run-${this.#runIds++}`;
    this.#run = { runId, plan, task, ordinal: 0, checkpoint: plan.checkpoint };
    if (decision.action !== 'cancel') {
      this.#append({ type: 'started', workerId: 'wrk_1', engine: task.engine, model: 'base' });
    }
    if (decision.action === 'cancel') this.#end({ type: 'canceled' });
    if (decision.action === 'fail') this.fail(poisonFailure(plan.lostRuns));
  }

  measureAudio(): void {
    const audio = { durationMs: 4_000, codec: 'mp3', sampleRate: 44_100, channels: 1 };
    this.#append({ type: 'audio', ...audio, sizeBytes: null, sha256: null });
  }

  transcribe(howMany: number): void {
    if (this.#run === null) return;
    const { segmentCount } = this.#run.checkpoint;
    const segments = SCRIPT.slice(segmentCount, segmentCount + howMany).map((each) => ({
      ...each,
      words: null,
    }));
    const last = segments.at(-1);
    const done = last === undefined ? {} : { segmentCount: last.index + 1, checkpointMs: last.endMs };
    this.#append({ type: 'segments', segments }, { ...done, language: 'en' });
  }

  complete(): void {
    if (this.#run?.checkpoint.segmentCount !== SCRIPT.length) return;
    const work = { languageConfidence: 1, durationMs: 4_000, computeMs: 1_000 };
    this.#end({ type: 'completed', ...work, requestId: null, model: 'base' });
  }

  fail(failure: Failure): void {
    this.#end({ type: 'failed', failure, requestId: null });
  }

  /** The run receives the cancel. */
  receiveCancel(): void {
    if (this.#cancelSent) this.#end({ type: 'canceled' });
  }

  /** The worker shuts down. Its task is delivered again. */
  release(): void {
    this.#append({ type: 'released' });
    this.#run = null;
  }

  /** The worker dies or freezes. The chain refuses what it publishes later. */
  vanish(): void {
    this.#run = null;
  }

  #end(draft: Draft): void {
    if (this.#run === null) return;
    this.#append(draft);
    this.#acknowledge(this.#run.task);
    this.#run = null;
  }

  #append(draft: Draft, change: Partial<Checkpoint> = {}): void {
    const run = this.#run;
    if (run === null) return;
    run.ordinal += 1;
    run.checkpoint = { ...run.checkpoint, ...change };
    const { generation, segmentCount, checkpointMs, language } = run.checkpoint;
    const { attempt, lostRuns } = run.plan;
    this.chain.push({
      ...{
        v: 2,
        jobId: JOB_ID,
        attempt,
        runId: run.runId,
        ordinal: run.ordinal,
        at: this.now.getTime(),
      },
      ...{ generation, segmentCount, checkpointMs, language, lostRuns },
      ...draft,
    });
  }

  #acknowledge(task: TaskMessage): void {
    this.#tasks = this.#tasks.filter((each) => each !== task);
  }
}
