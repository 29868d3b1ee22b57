import { applyEvent } from '../../src/app/apply-event.ts';
import { type EventMessage, endsRun, type TaskMessage } from '../../src/contract/messages.ts';
import { deadlineFailure } from '../../src/domain/failures.ts';
import { admissionOf, type Job } from '../../src/domain/job.ts';
import type { JobUpdate } from '../../src/domain/job-update.ts';
import { advance } from '../../src/domain/lifecycle.ts';
import type { Refusal, ServerEvent } from '../../src/domain/lifecycle-events.ts';
import type { Checkpoint, Segment } from '../../src/domain/transcript.ts';
import { type AttemptOutcome, type Failure, isFinal } from '../../src/domain/vocabulary.ts';
import { decideRun, type RunPlan } from '../../worker/run/decide-run.ts';
import { aSegment, aTask, JOB_ID, later, NOON, POLICY } from './builders.ts';

/** What the recording says, whoever transcribes it. */
export const SCRIPT: readonly Segment[] = Array.from({ length: 4 }, (_, index) =>
  aSegment({ index, startMs: index * 1_000, endMs: index * 1_000 + 900, text: `Sentence ${index}.` }),
);

type DraftOf<Event> = Event extends EventMessage ? Omit<Event, keyof Common> : never;
type Common = Omit<Extract<EventMessage, { type: 'canceled' }>, 'type'>;
type Draft = DraftOf<EventMessage>;
type ServerDraft = Extract<Draft, { type: 'canceled' | 'lost' | 'failed' }>;

interface Run {
  readonly runId: string;
  readonly plan: RunPlan;
  readonly task: TaskMessage;
  ordinal: number;
  checkpoint: Checkpoint;
}

/**
 * One job in a model of the whole service: the broker's tasks and its chain of events, workers that decide
 * as the real ones do, the projector, and the rows. Each method is something that may happen next; where it
 * can't, nothing happens.
 */
export class Fleet {
  job: Job;
  /** EVENTS, as far as it is about this job; only the fence's winner appends. */
  readonly chain: EventMessage[] = [];
  /** How much of the chain the projector has read. */
  read = 0;
  /** Length of the chain when the job was last retried by hand. */
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
    if (this.job.status === 'QUEUED' && this.#mayEnd()) this.apply(this.#endRun({ type: 'canceled' }));
    else this.#cancelSent = true;
  }

  #mayEnd(): boolean {
    const tail = this.#tail;
    return tail === null || (endsRun(tail) && tail.type !== 'completed' && tail.type !== 'canceled');
  }

  /** The reconciler gives up a run that was silent for long; stored at once, before the projector comes by. */
  lose(): void {
    if (this.job.status !== 'PROCESSING' || this.#tail === null || endsRun(this.#tail)) return;
    this.#run = null;
    this.apply(this.#endRun({ type: 'lost' }));
  }

  /** The deadline passes while the job waits. */
  expire(): void {
    const { deadline, status } = this.job;
    if (deadline === null || isFinal(status) || status === 'PROCESSING') return;
    this.now = new Date(Math.max(this.now.getTime(), deadline.getTime()));
    const refusal = this.#advance({ type: 'deadlinePassed' });
    if (refusal !== 'ON_CHAIN' || !this.#mayEnd()) return;
    this.apply(this.#endRun({ type: 'failed', failure: deadlineFailure(null), requestId: null }));
  }

  /** As the broker's adapter does it; the chain's fence lets it. */
  #endRun(end: ServerDraft): EventMessage {
    const tail = this.#tail;
    const behind = tail === null || tail.attempt < this.job.attempt;
    const next = behind || end.type === 'failed';
    const { generation, segmentCount, checkpointMs, language } = tail ?? this.job.checkpoint;
    const event: EventMessage = {
      ...{ v: 2, jobId: JOB_ID, runId: `server-${this.#runIds++}`, at: this.now.getTime() },
      attempt: next ? Math.max(this.job.attempt, tail?.attempt ?? 0) + 1 : tail.attempt,
      ordinal: next ? 1 : tail.ordinal + 1,
      ...{ generation, segmentCount, checkpointMs, language },
      lostRuns: (tail?.lostRuns ?? 0) + (end.type === 'lost' ? 1 : 0),
      ...end,
    };
    this.chain.push(event);
    return event;
  }

  retry(startOver: boolean): void {
    if (this.#advance({ type: 'retried', startOver }) !== null) return;
    this.retriedAt = this.chain.length;
    if (startOver) this.transcript = [];
  }

  /** The projector reads on; returns why it refused, or null. */
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
    if (decision.action === 'fail') this.fail(GIVEN_UP);
  }

  hearAudio(): void {
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

  /** The run hears that it shall let go. */
  obey(): void {
    if (this.#cancelSent) this.#end({ type: 'canceled' });
  }

  /** The worker shuts down; its task is delivered again. */
  release(): void {
    this.#append({ type: 'released' });
    this.#run = null;
  }

  /** The worker dies or hangs; whatever it says later, the fence refuses. */
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

const GIVEN_UP: Failure = {
  kind: 'WORKER_LOST',
  code: 'WORKER_LOST_REPEATEDLY',
  message: 'The worker vanished too often.',
  retryable: false,
};
