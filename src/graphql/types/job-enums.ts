import type { CancelOutcome } from '../../app/cancel-job.ts';
import type { CaptionPreset, ExportFormat } from '../../captions/export-options.ts';
import type { JobOrderField } from '../../domain/job-list.ts';
import type {
  AttemptOutcome,
  Engine,
  FailureKind,
  JobPriority,
  JobStage,
  JobStatus,
  TimestampGranularity,
} from '../../domain/vocabulary.ts';
import { builder } from '../builder.ts';

type Described<Value extends string> = Record<Value, { readonly description: string }>;

export const JobStatusEnum = builder.enumType('JobStatus', {
  description:
    'Status of a job. COMPLETED, FAILED and CANCELED are final, except that a failed job can be retried. ' +
    'New values may be added; handle unknown ones.',
  values: {
    SCHEDULED: { description: 'Waiting for `scheduledFor`.' },
    QUEUED: { description: 'Waiting for a worker.' },
    PROCESSING: { description: 'Running on a worker. Waiting is never included.' },
    RETRYING: { description: 'Waiting for the next attempt at `nextAttemptAt`.' },
    COMPLETED: { description: 'The transcript is complete. Final.' },
    FAILED: { description: 'Failed; see `failure`. Final unless retried with `retryJob`.' },
    CANCELED: { description: 'Canceled by request; the transcript so far stays readable. Final.' },
  } as const satisfies Described<JobStatus>,
});

export const JobStageEnum = builder.enumType('JobStage', {
  description: 'Stage of a running attempt.',
  values: {
    FETCHING: { description: 'Downloading the recording.' },
    DECODING: { description: 'Decoding the audio.' },
    TRANSCRIBING: { description: 'Transcribing; segments are added.' },
    FINALIZING: { description: 'Storing the last segments.' },
  } as const satisfies Described<JobStage>,
});

export const EngineEnum = builder.enumType('Engine', {
  description: 'Speech recognition engine.',
  values: {
    WHISPER: { description: 'whisper.cpp on your own workers.' },
    DEEPGRAM: { description: "Deepgram's hosted API." },
  } as const satisfies Described<Engine>,
});

export const JobPriorityEnum = builder.enumType('JobPriority', {
  description: 'Order in which waiting jobs start. Lower priorities still get a share of the workers.',
  values: {
    LOW: { description: 'Lowest; for background work.' },
    NORMAL: { description: 'Default.' },
    HIGH: { description: 'Starts before NORMAL.' },
    CRITICAL: { description: 'Starts before all others.' },
  } as const satisfies Described<JobPriority>,
});

export const TimestampGranularityEnum = builder.enumType('TimestampGranularity', {
  description: 'Granularity of the timestamps in a transcript.',
  values: {
    NONE: { description: 'Only the text matters; segments still have timestamps.' },
    SEGMENT: { description: 'Start and end of each segment.' },
    WORD: { description: 'Also start and end of each word. Slower.' },
  } as const satisfies Described<TimestampGranularity>,
});

export const AttemptOutcomeEnum = builder.enumType('AttemptOutcome', {
  description: 'How an attempt ended.',
  values: {
    COMPLETED: { description: 'The transcript was completed.' },
    FAILED: { description: 'It failed.' },
    CANCELED: { description: 'It was canceled by request.' },
    RELEASED: { description: 'The worker shut down and returned the job; not counted as a failed attempt.' },
    LOST: { description: 'The worker stopped responding.' },
  } as const satisfies Described<AttemptOutcome>,
});

export const FailureKindEnum = builder.enumType('FailureKind', {
  description: 'Category of a failure.',
  values: {
    FETCH: { description: 'The recording could not be downloaded.' },
    AUDIO: { description: 'The audio is invalid or in an unsupported format.' },
    NO_SPEECH: { description: 'The recording contains no audible sound or no speech.' },
    UNSUPPORTED: { description: 'The engine does not support a requested option.' },
    TIMEOUT: { description: 'The job exceeded its time limit or deadline.' },
    RATE_LIMITED: { description: 'The engine rejected the request because of its rate limit.' },
    ENGINE_UNAVAILABLE: { description: 'The engine could not be reached or started.' },
    ENGINE_REJECTED: { description: 'The engine rejected the recording or the account.' },
    WORKER_LOST: { description: 'The worker stopped responding.' },
    OUT_OF_MEMORY: { description: 'The recording or the model needs more memory than the worker has.' },
    INTERNAL: { description: 'Internal error of this service.' },
  } as const satisfies Described<FailureKind>,
});

export const CancelOutcomeEnum = builder.enumType('CancelOutcome', {
  description: 'Result of a cancellation.',
  values: {
    CANCELED: { description: 'The job was canceled before it started.' },
    REQUESTED: { description: 'The job is running and will stop soon; watch it for the final status.' },
    ALREADY_FINAL: { description: 'The job was already final; nothing changed.' },
  } as const satisfies Described<CancelOutcome>,
});

export const JobOrderFieldEnum = builder.enumType('JobOrderField', {
  description: 'Field to sort jobs by; ties are broken by id.',
  values: {
    SUBMITTED_AT: { description: 'Time of submission.' },
    STARTED_AT: { description: 'Start of the first attempt.' },
    FINISHED_AT: { description: 'Time at which the job became final.' },
    AUDIO_DURATION: { description: 'Duration of the recording.' },
  } as const satisfies Described<JobOrderField>,
});

export const OrderDirectionEnum = builder.enumType('OrderDirection', {
  description: 'Sort direction.',
  values: {
    ASC: { description: 'Smallest or earliest first.' },
    DESC: { description: 'Largest or latest first.' },
  } as const,
});

export const ExportFormatEnum = builder.enumType('ExportFormat', {
  description: 'File format of an exported transcript.',
  values: {
    TXT: { description: 'Plain text.' },
    SRT: { description: 'SubRip subtitles.' },
    VTT: { description: 'WebVTT subtitles.' },
    JSON: { description: 'Segments and words with timestamps and confidence.' },
    TSV: { description: 'Tab-separated start, end (milliseconds) and text, for spreadsheets.' },
  } as const satisfies Described<ExportFormat>,
});

export const CaptionPresetEnum = builder.enumType('CaptionPreset', {
  description: 'Set of caption rules, listed in docs/captions.md.',
  values: {
    WEB: { description: "Video on the web, by Netflix's rules." },
    BROADCAST: { description: "Television, by the BBC's rules." },
    KARAOKE: { description: 'One short line; each word is marked while it is spoken.' },
  } as const satisfies Described<CaptionPreset>,
});
