import { z } from 'zod';
import {
  ENGINES,
  FAILURE_KINDS,
  JOB_PRIORITIES,
  JOB_STAGES,
  TIMESTAMP_GRANULARITIES,
} from '../domain/vocabulary.ts';

/**
 * The messages between server and worker, version 2 (docs/protocol.md). A reader ignores fields it
 * does not know, so that fields can be added; a changed meaning needs a new version.
 */
export const PROTOCOL_VERSION = 2;

const Version = z.literal(PROTOCOL_VERSION);
const Milliseconds = z.number().int().min(0);
/** Milliseconds since 1970-01-01T00:00:00Z. */
const Instant = z.number().int().min(0);
const Confidence = z.number().min(0).max(1).nullable();

export const WordMessage = z.object({
  startMs: Milliseconds,
  endMs: Milliseconds,
  text: z.string(),
  confidence: Confidence,
});

export const SegmentMessage = z.object({
  index: z.number().int().min(0),
  startMs: Milliseconds,
  endMs: Milliseconds,
  text: z.string(),
  speaker: z.string().nullable(),
  confidence: Confidence,
  words: z.array(WordMessage).nullable(),
});

export const FailureMessage = z.object({
  kind: z.enum(FAILURE_KINDS),
  code: z.string().min(1).max(64),
  message: z.string().min(1).max(1000),
  retryable: z.boolean(),
  retryAfterMs: Milliseconds.optional(),
  detail: z.string().max(4096).optional(),
});

const CheckpointFields = {
  generation: z.number().int().min(0),
  segmentCount: z.number().int().min(0),
  checkpointMs: Milliseconds,
  language: z.string().nullable(),
};
export const CheckpointMessage = z.object(CheckpointFields);

/** Tells a worker to run an attempt. Published to a lane by the server's admission. */
export const TaskMessage = z.object({
  v: Version,
  jobId: z.string(),
  /** The attempt to start at least with; a redelivery after a lost worker starts a later one. */
  attempt: z.number().int().min(1),
  /** Rises with each publication of a task for the same attempt. */
  publication: z.number().int().min(1),
  engine: z.enum(ENGINES),
  priority: z.enum(JOB_PRIORITIES),
  audio: z.object({
    /** `upload`: a signed URL of the service itself, trusted. `url`: a stranger's, guarded. */
    kind: z.enum(['url', 'upload']),
    url: z.string(),
    filename: z.string().nullable(),
    contentType: z.string().nullable(),
    sizeBytes: z.number().int().min(0).nullable(),
    sha256: z.string().nullable(),
    /** The length that an earlier attempt measured, so that progress can be estimated; else null. */
    durationMs: Milliseconds.nullable().default(null),
  }),
  /** The part of the audio to transcribe, in milliseconds; `endMs` null means to its end. */
  range: z.object({ startMs: Milliseconds, endMs: Milliseconds.nullable() }),
  options: z.object({
    model: z.string(),
    language: z.string().nullable(),
    timestamps: z.enum(TIMESTAMP_GRANULARITIES),
    diarize: z.boolean(),
    translateToEnglish: z.boolean(),
    vocabulary: z.array(z.string()),
  }),
  /** What is already stored: the attempt continues here. */
  resume: CheckpointMessage,
  limits: z.object({
    maxAudioBytes: z.number().int().min(1),
    maxAudioMs: z.number().int().min(1),
    /** The attempt fails with TIMEOUT after this long. */
    attemptTimeoutMs: z.number().int().min(1),
    /** So many lost workers make the job poison. */
    maxLostRuns: z.number().int().min(1),
  }),
});
export type TaskMessage = z.infer<typeof TaskMessage>;

/**
 * Fields of every event. `generation`, `segmentCount`, `checkpointMs` and `language` hold the job's
 * checkpoint after the event, so that the last event of a chain is enough to continue from.
 */
const EventFields = {
  v: Version,
  jobId: z.string(),
  attempt: z.number().int().min(0),
  /** Random, new for every run of an attempt; `server` when the server ends a run itself. */
  runId: z.string().min(1),
  /** Position in the attempt, from 1 (`started`), without a gap. */
  ordinal: z.number().int().min(1),
  at: Instant,
  ...CheckpointFields,
  /** Workers lost on this job so far. */
  lostRuns: z.number().int().min(0),
};

const Event = <Shape extends z.ZodRawShape, Type extends string>(type: Type, shape: Shape) =>
  z.object({ ...EventFields, type: z.literal(type), ...shape });

export const StartedEvent = Event('started', {
  workerId: z.string(),
  engine: z.enum(ENGINES),
  model: z.string(),
});
/** What the recording turned out to be; at most once an attempt, before the first segment. */
export const AudioEvent = Event('audio', {
  durationMs: Milliseconds.nullable(),
  codec: z.string().nullable(),
  sampleRate: z.number().int().nullable(),
  channels: z.number().int().nullable(),
  sizeBytes: z.number().int().nullable(),
  sha256: z.string().nullable(),
});
/** Finished segments, in order; the first has the index that `segmentCount` had before. */
export const SegmentsEvent = Event('segments', {
  segments: z.array(SegmentMessage),
});
export const CompletedEvent = Event('completed', {
  languageConfidence: Confidence,
  durationMs: Milliseconds,
  /** Wall-clock time the engine worked. */
  computeMs: Milliseconds,
  /** The engine's own id of the request, so that a bill can be traced. */
  requestId: z.string().nullable(),
  /** The model that ran, as the engine names it. */
  model: z.string(),
});
/** The attempt failed; the server decides whether the job is tried again. */
export const FailedEvent = Event('failed', { failure: FailureMessage, requestId: z.string().nullable() });
export const CanceledEvent = Event('canceled', {});
/** The worker shuts down and gives the job back; not counted as an attempt. */
export const ReleasedEvent = Event('released', {});
/** The server gave the attempt's worker up for lost; also fences it. */
export const LostEvent = Event('lost', {});

export const EventMessage = z.discriminatedUnion('type', [
  StartedEvent,
  AudioEvent,
  SegmentsEvent,
  CompletedEvent,
  FailedEvent,
  CanceledEvent,
  ReleasedEvent,
  LostEvent,
]);
export type EventMessage = z.infer<typeof EventMessage>;
export type EventType = EventMessage['type'];

/** After one of these no event of the same attempt follows. */
export const ENDING_EVENTS = [
  'completed',
  'failed',
  'canceled',
  'released',
  'lost',
] as const satisfies EventType[];

export function endsAttempt(event: Pick<EventMessage, 'type'>): boolean {
  return (ENDING_EVENTS as readonly string[]).includes(event.type);
}

/** How far an attempt is; newest wins, may be lost, at most 4 a second a job. */
export const ProgressMessage = z.object({
  v: Version,
  jobId: z.string(),
  attempt: z.number().int().min(1),
  runId: z.string(),
  at: Instant,
  stage: z.enum(JOB_STAGES),
  processedMs: Milliseconds,
  totalMs: Milliseconds.nullable(),
  /** Audio seconds done a second of wall clock; null until measured. */
  realtimeFactor: z.number().min(0).nullable(),
  /** True when `etaMs` is derived from other jobs' speed because the engine reports none. */
  estimated: z.boolean(),
  etaMs: Milliseconds.nullable(),
});
export type ProgressMessage = z.infer<typeof ProgressMessage>;

/** Asks the worker that has the job to let go. */
export const ControlMessage = z.object({
  v: Version,
  jobId: z.string(),
  action: z.literal('cancel'),
  at: Instant,
  reason: z.string().max(200).nullable(),
});
export type ControlMessage = z.infer<typeof ControlMessage>;

/** What a worker says of itself every few seconds. */
export const WorkerAnnouncement = z.object({
  v: Version,
  workerId: z.string(),
  hostname: z.string(),
  version: z.string(),
  engine: z.enum(ENGINES),
  /** Such as `cpu`, `cuda`, `cloud`. */
  device: z.string(),
  status: z.enum(['STARTING', 'IDLE', 'BUSY', 'DRAINING']),
  slots: z.number().int().min(0),
  busy: z.number().int().min(0),
  models: z.array(
    z.object({
      name: z.string(),
      /** BCP 47 tags the model understands; empty means any. */
      languages: z.array(z.string()),
      isDefault: z.boolean(),
    }),
  ),
  startedAt: Instant,
  processed: z.number().int().min(0),
  failed: z.number().int().min(0),
  /** Measured audio seconds a second of wall clock, over the last jobs; null before the first. */
  realtimeFactor: z.number().min(0).nullable(),
  /** False while the engine's circuit breaker is open. */
  engineAvailable: z.boolean(),
  memoryBytes: z.number().int().min(0),
  jobs: z.array(z.string()),
});
export type WorkerAnnouncement = z.infer<typeof WorkerAnnouncement>;
