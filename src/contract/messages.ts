import { z } from 'zod';
import { TranscriptionOptions } from '../domain/transcription-options.ts';
import { ENGINES, FAILURE_KINDS, JOB_PRIORITIES, JOB_STAGES } from '../domain/vocabulary.ts';

/**
 * The messages between server and worker, version 2 (docs/protocol.md). A reader ignores fields that it does not
 * know, so fields can be added. A change of meaning is a new version.
 */
export const PROTOCOL_VERSION = 2;

/** What a Postgres `integer` holds: 24 days in milliseconds. */
export const MAX_INTEGER = 2 ** 31 - 1;
/** The last millisecond that a Date can name. */
const MAX_INSTANT = 8_640_000_000_000_000;

const Version = z.literal(PROTOCOL_VERSION);
const Count = z.number().int().min(0).max(MAX_INTEGER);
/** A number that counts from 1. */
const Ordinal = z.number().int().min(1).max(MAX_INTEGER);
const Milliseconds = Count;
const Bytes = z.number().int().min(0);
/** Milliseconds since 1970-01-01T00:00:00Z. */
const Instant = z.number().int().min(0).max(MAX_INSTANT);
const Confidence = z.number().min(0).max(1).nullable();

/** A word of a list that later versions may extend; a reader takes an unknown word as `otherwise`. */
const wordOf = <Word extends string>(words: readonly Word[], otherwise: Word) =>
  z.string().transform((text): Word => words.find((word) => word === text) ?? otherwise);

const WordMessage = z.object({
  startMs: Milliseconds,
  endMs: Milliseconds,
  text: z.string(),
  confidence: Confidence,
});

export const SegmentMessage = z.object({
  index: Count,
  startMs: Milliseconds,
  endMs: Milliseconds,
  text: z.string(),
  speaker: z.string().nullable(),
  confidence: Confidence,
  words: z.array(WordMessage).nullable(),
});

export const FailureMessage = z.object({
  kind: wordOf(FAILURE_KINDS, 'INTERNAL'),
  code: z.string().min(1).max(64),
  message: z.string().min(1).max(1000),
  retryable: z.boolean(),
  retryAfterMs: z.number().int().min(0).optional(),
  detail: z.string().max(4096).optional(),
});

const CheckpointFields = {
  generation: Count,
  segmentCount: Count,
  checkpointMs: Milliseconds,
  language: z.string().nullable(),
};
const CheckpointMessage = z.object(CheckpointFields);

/** Makes a worker run a job. The server's admission publishes it to a lane. */
export const TaskMessage = z.object({
  v: Version,
  jobId: z.string(),
  /** The lowest attempt to start with; a redelivery after a lost run starts a later one. */
  attempt: Ordinal,
  /** Rises with each publication of a task of the same job. */
  publication: Ordinal,
  engine: z.enum(ENGINES),
  priority: z.enum(JOB_PRIORITIES),
  audio: z.object({
    /** `upload`: a signed URL of the service itself, trusted. `url`: from a client, guarded. */
    kind: z.enum(['url', 'upload']),
    url: z.string(),
    filename: z.string().nullable(),
    contentType: z.string().nullable(),
    sizeBytes: Bytes.nullable(),
    sha256: z.string().nullable(),
    /** The length that an earlier run measured, to estimate the time left; else null. */
    durationMs: Milliseconds.nullable().default(null),
  }),
  /** The stretch of the recording to transcribe, in milliseconds; `endMs` null means to its end. */
  range: z.object({ startMs: Milliseconds, endMs: Milliseconds.nullable() }),
  options: TranscriptionOptions,
  /** What is already stored: the run continues there. */
  resume: CheckpointMessage,
  limits: z.object({
    maxAudioBytes: z.number().int().min(1),
    maxAudioMs: z.number().int().min(1),
    /** The run fails with TIMEOUT after this time. */
    runTimeoutMs: z.number().int().min(1),
    /** A job with this many lost runs fails. */
    maxLostRuns: z.number().int().min(1),
  }),
});
export type TaskMessage = z.infer<typeof TaskMessage>;

/**
 * Fields of every event. `generation`, `segmentCount`, `checkpointMs` and `language` are the job's checkpoint
 * after the event, so the last event of a chain is enough to continue from.
 */
const EventFields = {
  v: Version,
  jobId: z.string(),
  attempt: Count,
  /** Random, new for every run; begins with `server-` where the server itself ends a run. */
  runId: z.string().min(1),
  /** Place in the run, from 1 (`started`), without a gap. */
  ordinal: Ordinal,
  at: Instant,
  ...CheckpointFields,
  /** Runs of this job that were lost so far. */
  lostRuns: Count,
};

const Event = <Shape extends z.ZodRawShape, Type extends string>(type: Type, shape: Shape) =>
  z.object({ ...EventFields, type: z.literal(type), ...shape });

const StartedEvent = Event('started', {
  workerId: z.string(),
  engine: z.enum(ENGINES),
  model: z.string(),
});
/** The measured properties of the recording; at most once in a run, before the first segment. */
const AudioEvent = Event('audio', {
  durationMs: Milliseconds.nullable(),
  codec: z.string().nullable(),
  sampleRate: Count.nullable(),
  channels: Count.nullable(),
  sizeBytes: Bytes.nullable(),
  sha256: z.string().nullable(),
});
/** Finished segments, in order; the first has the index that `segmentCount` had before. */
const SegmentsEvent = Event('segments', {
  segments: z.array(SegmentMessage),
});
const CompletedEvent = Event('completed', {
  languageConfidence: Confidence,
  durationMs: Milliseconds,
  /** Wall-clock time that the engine worked; a clock that stepped back must not cost the transcript. */
  computeMs: z.number().transform((ms) => Math.min(Math.max(Math.round(ms), 0), Number.MAX_SAFE_INTEGER)),
  /** The engine's id of the request, to trace a bill. */
  requestId: z.string().nullable(),
  /** The model that ran, as the engine names it. */
  model: z.string(),
});
/** The run failed; the server decides whether the job is tried again. */
const FailedEvent = Event('failed', { failure: FailureMessage, requestId: z.string().nullable() });
const CanceledEvent = Event('canceled', {});
/** The worker shuts down and gives the job back; not counted as an attempt. */
const ReleasedEvent = Event('released', {});
/** The server counts the run as lost; it also fences the run. */
const LostEvent = Event('lost', {});

const EVENTS = [
  StartedEvent,
  AudioEvent,
  SegmentsEvent,
  CompletedEvent,
  FailedEvent,
  CanceledEvent,
  ReleasedEvent,
  LostEvent,
] as const;

const EVENT_TYPES: ReadonlySet<unknown> = new Set(EVENTS.map((event) => event.shape.type.value));

/** An event of a type that this version does not know. It never ends its run: that would take a new version. */
const OpaqueEvent = Event('opaque', { unknownType: z.string() });

function markUnknownType(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('type' in value)) return value;
  if (typeof value.type !== 'string' || EVENT_TYPES.has(value.type)) return value;
  return { ...value, type: 'opaque', unknownType: value.type };
}

/** Readers pass over opaque events; there is no writer of them. */
export const EventMessage = z.preprocess(
  markUnknownType,
  z.discriminatedUnion('type', [...EVENTS, OpaqueEvent]),
);
export type EventMessage = z.infer<typeof EventMessage>;
export type EventType = EventMessage['type'];

/** After one of these the run publishes nothing more. */
export const ENDING_EVENTS = [
  'completed',
  'failed',
  'canceled',
  'released',
  'lost',
] as const satisfies EventType[];

export function endsRun(event: Pick<EventMessage, 'type'>): boolean {
  return (ENDING_EVENTS as readonly string[]).includes(event.type);
}

/** How far a run is; the newest counts, any may be lost, at most 4 a second for a job. */
export const ProgressMessage = z.object({
  v: Version,
  jobId: z.string(),
  attempt: Ordinal,
  runId: z.string(),
  at: Instant,
  stage: wordOf(JOB_STAGES, 'TRANSCRIBING'),
  processedMs: Milliseconds,
  totalMs: Milliseconds.nullable(),
  /** Seconds of audio per second of wall clock; null until measured. */
  realtimeFactor: z.number().min(0).nullable(),
  /** True when `etaMs` comes from the speed of other jobs because the engine reports no progress. */
  estimated: z.boolean(),
  etaMs: z.number().int().min(0).nullable(),
});
export type ProgressMessage = z.infer<typeof ProgressMessage>;

/** A request of the server to the worker that runs the job. */
export const ControlMessage = z.object({
  v: Version,
  jobId: z.string(),
  action: z.literal('cancel'),
  at: Instant,
  reason: z.string().max(200).nullable(),
});
export type ControlMessage = z.infer<typeof ControlMessage>;

/** What a worker announces every few seconds. */
export const WorkerAnnouncement = z.object({
  v: Version,
  workerId: z.string(),
  hostname: z.string(),
  version: z.string(),
  engine: z.enum(ENGINES),
  /** Such as `cpu`, `cuda`, `cloud`. */
  device: z.string(),
  status: z.enum(['STARTING', 'IDLE', 'BUSY', 'DRAINING']),
  slots: Count,
  busy: Count,
  models: z.array(
    z.object({
      name: z.string(),
      /** BCP 47 tags that the model understands; empty means any. */
      languages: z.array(z.string()),
      isDefault: z.boolean(),
    }),
  ),
  startedAt: Instant,
  processed: Count,
  failed: Count,
  /** Measured seconds of audio per second of wall clock, over the last jobs; null before the first. */
  realtimeFactor: z.number().min(0).nullable(),
  /** False while the engine's circuit breaker is open. */
  engineAvailable: z.boolean(),
  memoryBytes: Bytes,
  jobs: z.array(z.string()),
});
export type WorkerAnnouncement = z.infer<typeof WorkerAnnouncement>;
