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
    'Where a job stands. COMPLETED, FAILED and CANCELED are final; a failed job can be retried by hand. ' +
    'New values may be added: have a default branch.',
  values: {
    SCHEDULED: { description: 'Not before `scheduledFor`.' },
    QUEUED: { description: 'Waiting for a worker.' },
    PROCESSING: { description: 'A worker has it; never includes waiting.' },
    RETRYING: { description: 'Waiting for the next attempt at `nextAttemptAt`.' },
    COMPLETED: { description: 'The transcript is whole. Final.' },
    FAILED: { description: 'It gave up; `failure` says why. Final, unless retried by hand.' },
    CANCELED: { description: 'Stopped on request; what was transcribed stays readable. Final.' },
  } as const satisfies Described<JobStatus>,
});

export const JobStageEnum = builder.enumType('JobStage', {
  description: 'What a worker is doing within an attempt.',
  values: {
    FETCHING: { description: 'Getting the recording.' },
    DECODING: { description: 'Turning it into samples.' },
    TRANSCRIBING: { description: 'Turning speech into text; segments appear.' },
    FINALIZING: { description: 'Storing the last results.' },
  } as const satisfies Described<JobStage>,
});

export const EngineEnum = builder.enumType('Engine', {
  description: 'A speech recogniser.',
  values: {
    WHISPER: { description: 'whisper.cpp on a machine of yours.' },
    DEEPGRAM: { description: "Deepgram's hosted API." },
  } as const satisfies Described<Engine>,
});

export const JobPriorityEnum = builder.enumType('JobPriority', {
  description: 'Which of the waiting jobs start first. Lower ones still get a share.',
  values: {
    LOW: { description: 'When nothing else waits.' },
    NORMAL: { description: 'The default.' },
    HIGH: { description: 'Before NORMAL.' },
    CRITICAL: { description: 'Before everything else.' },
  } as const satisfies Described<JobPriority>,
});

export const TimestampGranularityEnum = builder.enumType('TimestampGranularity', {
  description: 'How fine the times of a transcript are.',
  values: {
    NONE: { description: 'Text matters, times do not; segments still have them.' },
    SEGMENT: { description: 'Start and end of every segment.' },
    WORD: { description: 'Also of every word; slower.' },
  } as const satisfies Described<TimestampGranularity>,
});

export const AttemptOutcomeEnum = builder.enumType('AttemptOutcome', {
  description: 'How one run of a job ended.',
  values: {
    COMPLETED: { description: 'With the whole transcript.' },
    FAILED: { description: 'With a failure.' },
    CANCELED: { description: 'On request.' },
    RELEASED: { description: 'Given back by a worker that shut down; not counted.' },
    LOST: { description: 'The worker vanished.' },
  } as const satisfies Described<AttemptOutcome>,
});

export const FailureKindEnum = builder.enumType('FailureKind', {
  description: 'What kind of thing went wrong; decides whether it is tried again.',
  values: {
    FETCH: { description: 'The recording could not be fetched.' },
    AUDIO: { description: 'It is not audio that can be decoded.' },
    NO_SPEECH: { description: 'It holds no sound or no speech.' },
    UNSUPPORTED: { description: 'The engine lacks an option that was asked for.' },
    TIMEOUT: { description: 'It took longer than allowed.' },
    RATE_LIMITED: { description: 'The engine asked to slow down.' },
    ENGINE_UNAVAILABLE: { description: 'The engine could not be reached or started.' },
    ENGINE_REJECTED: { description: 'The engine refused the recording or the account.' },
    WORKER_LOST: { description: 'The worker vanished while it ran.' },
    OUT_OF_MEMORY: { description: 'The recording or model needs more memory than the worker has.' },
    INTERNAL: { description: 'A fault of this service.' },
  } as const satisfies Described<FailureKind>,
});

export const CancelOutcomeEnum = builder.enumType('CancelOutcome', {
  description: 'What canceling a job did.',
  values: {
    CANCELED: { description: 'It had not started and never will.' },
    REQUESTED: { description: 'A worker has it and will let go; watch the job.' },
    ALREADY_FINAL: { description: 'It had ended before; nothing changed.' },
  } as const satisfies Described<CancelOutcome>,
});

export const JobOrderFieldEnum = builder.enumType('JobOrderField', {
  description: 'What jobs can be sorted by; ties are broken by id.',
  values: {
    SUBMITTED_AT: { description: 'When it was submitted.' },
    STARTED_AT: { description: 'When its first attempt started.' },
    FINISHED_AT: { description: 'When it became final.' },
    AUDIO_DURATION: { description: 'Length of the recording.' },
  } as const satisfies Described<JobOrderField>,
});

export const OrderDirectionEnum = builder.enumType('OrderDirection', {
  description: 'Direction of a sort.',
  values: {
    ASC: { description: 'Smallest or earliest first.' },
    DESC: { description: 'Largest or latest first.' },
  } as const,
});

export const ExportFormatEnum = builder.enumType('ExportFormat', {
  description: 'File format of a transcript.',
  values: {
    TXT: { description: 'Plain text.' },
    SRT: { description: 'SubRip subtitles.' },
    VTT: { description: 'WebVTT subtitles.' },
    JSON: { description: 'Segments and words with times and confidence.' },
    TSV: { description: 'Tab-separated start, end (milliseconds) and text, for spreadsheets.' },
  } as const satisfies Described<ExportFormat>,
});

export const CaptionPresetEnum = builder.enumType('CaptionPreset', {
  description: 'Rules for captions; docs/captions.md has them in a table.',
  values: {
    WEB: { description: "Video on the web, by Netflix's rules." },
    BROADCAST: { description: "Television, by the BBC's rules." },
    KARAOKE: { description: 'One short line; each word is marked while it is spoken.' },
  } as const satisfies Described<CaptionPreset>,
});
