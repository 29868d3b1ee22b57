import { v7 as uuidv7 } from 'uuid';
import type { EventMessage, ProgressMessage, TaskMessage } from '../../src/contract/messages.ts';
import { toId } from '../../src/domain/ids.ts';
import type {
  Admission,
  CanceledJob,
  CompletedJob,
  FailedJob,
  JobFields,
  ProcessingJob,
  QueuedJob,
  RetryingJob,
  ScheduledJob,
} from '../../src/domain/job.ts';
import type { LifecycleContext, LifecyclePolicy } from '../../src/domain/lifecycle-events.ts';
import type { NewJob } from '../../src/domain/new-job.ts';
import type { Checkpoint, Segment, Word } from '../../src/domain/transcript.ts';
import { TranscriptionOptions } from '../../src/domain/transcription-options.ts';
import type { Failure } from '../../src/domain/vocabulary.ts';

/** Valid things; a test states only what matters to it. */

/** Of a job that asks for nothing special. */
export const DEFAULT_OPTIONS = TranscriptionOptions.parse({});

export const NOON = new Date('2026-01-02T12:00:00.000Z');
export const later = (ms: number, from: Date = NOON): Date => new Date(from.getTime() + ms);

export const JOB_ID = 'job_0190a1b2c3d47e8f9a0b1c2d3e4f5a6b';
export const INSTANCE = 'run-a';

export const POLICY: LifecyclePolicy = {
  baseDelayMs: 5_000,
  maxDelayMs: 300_000,
  maxLostRuns: 3,
  retentionMs: 86_400_000,
};
/** What a transition at noon depends on; the retry delay is half of its maximum. */
export const AT_NOON: LifecycleContext = { now: NOON, random: 0.5, policy: POLICY };
export const ADMISSION: Admission = { admittedAt: later(-10_000), taskSequence: 7 };
/** Of a job that ends at noon. */
export const END = { finishedAt: NOON, expiresAt: later(POLICY.retentionMs) };

export function aFailure(change: Partial<Failure> = {}): Failure {
  return {
    kind: 'FETCH',
    code: 'SOURCE_UNAVAILABLE',
    message: 'The host answered 503; try again later.',
    retryable: true,
    ...change,
  };
}

export function aCheckpoint(change: Partial<Checkpoint> = {}): Checkpoint {
  return { generation: 0, segmentCount: 0, checkpointMs: 0, language: null, ...change };
}

function jobFields(change: Partial<JobFields> = {}): JobFields {
  return {
    id: JOB_ID,
    engines: ['WHISPER'],
    engineIndex: 0,
    attempt: 0,
    lastOrdinal: 0,
    runId: null,
    failures: 0,
    lostRuns: 0,
    maxAttempts: 3,
    checkpoint: aCheckpoint(),
    cancelRequestedAt: null,
    deadline: null,
    publication: 0,
    queuedAt: later(-60_000),
    startedAt: null,
    ...change,
  };
}

const ENDED = { attempt: 1, lastOrdinal: 4, runId: INSTANCE };

export function aScheduledJob(change: Partial<ScheduledJob> = {}): ScheduledJob {
  const fields = jobFields({ queuedAt: null });
  return { ...fields, status: 'SCHEDULED', scheduledFor: later(60_000), ...change };
}

export function aQueuedJob(change: Partial<QueuedJob> = {}): QueuedJob {
  return { ...jobFields(), status: 'QUEUED', admission: ADMISSION, ...change };
}

/** Attempt 1 has started and reported nothing else. */
export function aProcessingJob(change: Partial<ProcessingJob> = {}): ProcessingJob {
  return {
    ...jobFields({ attempt: 1, lastOrdinal: 1 }),
    status: 'PROCESSING',
    runId: INSTANCE,
    admission: ADMISSION,
    ...change,
  };
}

export function aRetryingJob(change: Partial<RetryingJob> = {}): RetryingJob {
  const events = jobFields({ ...ENDED, failures: 1 });
  const failed = { failure: aFailure(), failureAt: NOON };
  return { ...events, status: 'RETRYING', nextAttemptAt: later(5_000), ...failed, ...change };
}

export function aCompletedJob(change: Partial<CompletedJob> = {}): CompletedJob {
  return { ...jobFields(ENDED), status: 'COMPLETED', ...END, ...change };
}

export function aFailedJob(change: Partial<FailedJob> = {}): FailedJob {
  return {
    ...jobFields({ ...ENDED, failures: 1 }),
    status: 'FAILED',
    ...END,
    failureAt: NOON,
    failure: aFailure({ kind: 'AUDIO', code: 'AUDIO_NOT_RECOGNIZED', retryable: false }),
    deadLetteredAt: null,
    ...change,
  };
}

export function aCanceledJob(change: Partial<CanceledJob> = {}): CanceledJob {
  return { ...jobFields(ENDED), status: 'CANCELED', ...END, ...change };
}

/** Words of `text`, one after another without a pause, over the given time. */
export function wordsOf(text: string, startMs: number, endMs: number): Word[] {
  const texts = text.split(/\s+/u).filter((word) => word !== '');
  const each = (endMs - startMs) / texts.length;
  return texts.map((word, index) => ({
    startMs: Math.round(startMs + index * each),
    endMs: Math.round(startMs + (index + 1) * each),
    text: word,
    confidence: 0.9,
  }));
}

export function aSegment(change: Partial<Segment> = {}): Segment {
  return {
    index: 0,
    startMs: 0,
    endMs: 2_000,
    text: 'Hello there.',
    speaker: null,
    confidence: 0.9,
    words: null,
    ...change,
  };
}

export function aNewJob(job: Partial<NewJob> = {}): NewJob {
  return {
    id: toId('Job', uuidv7()),
    tenantId: 'ten_default',
    externalId: null,
    engines: ['WHISPER'],
    priority: 'NORMAL',
    tags: [],
    metadata: null,
    source: { url: 'https://example.com/talk.mp3' },
    audio: { filename: 'talk.mp3', contentType: null, sizeBytes: null, sha256: null },
    options: DEFAULT_OPTIONS,
    submittedAt: new Date(),
    scheduledFor: null,
    deadline: null,
    maxAttempts: 3,
    ...job,
  };
}

type EventOf<Type extends EventMessage['type']> = Extract<EventMessage, { type: Type }>;

/** Fields that every event has: the second of attempt 1 unless said otherwise. */
export function eventFields(
  change: Partial<Omit<EventMessage, 'type'>> = {},
): Omit<EventOf<'canceled'>, 'type'> {
  return {
    v: 2,
    jobId: JOB_ID,
    attempt: 1,
    runId: INSTANCE,
    ordinal: 2,
    at: NOON.getTime(),
    ...aCheckpoint(),
    lostRuns: 0,
    ...change,
  };
}

export function aStartedEvent(change: Partial<EventOf<'started'>> = {}): EventOf<'started'> {
  const fields = eventFields({ ordinal: 1 });
  return { ...fields, type: 'started', workerId: 'wrk_1', engine: 'WHISPER', model: 'base', ...change };
}

export function anAudioEvent(change: Partial<EventOf<'audio'>> = {}): EventOf<'audio'> {
  const audio = { durationMs: 60_000, codec: 'mp3', sampleRate: 44_100, channels: 2 };
  return { ...eventFields(), type: 'audio', ...audio, sizeBytes: 960_000, sha256: null, ...change };
}

/** Its checkpoint follows from its segments, as a worker's does. */
export function aSegmentsEvent(
  segments: Segment[],
  change: Partial<EventOf<'segments'>> = {},
): EventOf<'segments'> {
  const last = segments.at(-1);
  const checkpoint = last === undefined ? {} : { segmentCount: last.index + 1, checkpointMs: last.endMs };
  return {
    ...eventFields(checkpoint),
    type: 'segments',
    segments: segments.map((segment) => ({ ...segment, words: segment.words && [...segment.words] })),
    ...change,
  };
}

export function aCompletedEvent(change: Partial<EventOf<'completed'>> = {}): EventOf<'completed'> {
  const work = { languageConfidence: 0.98, durationMs: 60_000, computeMs: 12_000 };
  return { ...eventFields(), type: 'completed', ...work, requestId: null, model: 'base', ...change };
}

export function aFailedEvent(failure: Failure, change: Partial<EventOf<'failed'>> = {}): EventOf<'failed'> {
  return { ...eventFields(), type: 'failed', failure, requestId: null, ...change };
}

export function anEndingEvent<Type extends 'canceled' | 'released' | 'lost'>(
  type: Type,
  change: Partial<Omit<EventMessage, 'type'>> = {},
): Omit<EventOf<'canceled'>, 'type'> & { readonly type: Type } {
  return { ...eventFields(change), type };
}

export function aProgress(change: Partial<ProgressMessage> = {}): ProgressMessage {
  const position = { stage: 'TRANSCRIBING', processedMs: 7_000, totalMs: 10_000 } as const;
  const speed = { realtimeFactor: 2, estimated: false, etaMs: 1_500 };
  return {
    v: 2,
    jobId: JOB_ID,
    attempt: 1,
    runId: INSTANCE,
    at: NOON.getTime(),
    ...position,
    ...speed,
    ...change,
  };
}

export function aTask(change: Partial<TaskMessage> = {}): TaskMessage {
  return {
    v: 2,
    jobId: JOB_ID,
    attempt: 1,
    publication: 1,
    engine: 'WHISPER',
    priority: 'NORMAL',
    audio: {
      kind: 'url',
      url: 'https://recordings.example/a.mp3',
      filename: 'a.mp3',
      contentType: 'audio/mpeg',
      sizeBytes: null,
      sha256: null,
      durationMs: null,
    },
    range: { startMs: 0, endMs: null },
    options: DEFAULT_OPTIONS,
    resume: aCheckpoint(),
    limits: {
      maxAudioBytes: 1_000_000_000,
      maxAudioMs: 14_400_000,
      runTimeoutMs: 3_600_000,
      maxLostRuns: 3,
    },
    ...change,
  };
}
