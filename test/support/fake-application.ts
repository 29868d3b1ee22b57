import type { Application } from '../../src/app/application.ts';
import { NotFoundError } from '../../src/domain/errors.ts';
import type { JobView } from '../../src/domain/job-view.ts';
import type { JobProgressEvent } from '../../src/live/watch-job.ts';
import { JOB_ID, NOON } from './builders.ts';

export function aJobView(change: Partial<JobView> = {}): JobView {
  return {
    id: JOB_ID,
    tenantId: 'ten_default',
    externalId: null,
    status: 'QUEUED',
    revision: 1,
    progress: {
      stage: null,
      fraction: 0,
      processedSeconds: 0,
      totalSeconds: null,
      segmentCount: 0,
      realtimeFactor: null,
      etaSeconds: null,
      isEstimate: false,
      updatedAt: NOON,
    },
    queue: 'whisper',
    priority: 'NORMAL',
    engines: ['WHISPER'],
    tags: [],
    metadata: null,
    audio: {
      filename: 'talk.mp3',
      contentType: 'audio/mpeg',
      codec: null,
      sizeBytes: null,
      durationSeconds: null,
      sha256: null,
      sampleRate: null,
      channels: null,
    },
    options: {
      model: 'default',
      language: null,
      timestamps: 'SEGMENT',
      diarize: false,
      translateToEnglish: false,
      vocabulary: [],
    },
    submittedAt: NOON,
    scheduledFor: null,
    deadline: null,
    startedAt: null,
    finishedAt: null,
    expiresAt: null,
    nextAttemptAt: null,
    cancelRequestedAt: null,
    attempt: 0,
    maxAttempts: 3,
    failure: null,
    transcript: null,
    usage: null,
    ...change,
  };
}

export function aProgressEvent(change: Partial<JobProgressEvent> = {}): JobProgressEvent {
  return {
    type: 'PROGRESS',
    newSegments: [],
    cursor: 'cursor-1',
    at: NOON,
    coalesced: 0,
    job: aJobView({ status: 'PROCESSING' }),
    ...change,
  };
}

const EMPTY_PAGE = { edges: [], hasNextPage: false, hasPreviousPage: false };

function unexpected(name: string): never {
  throw new Error(`The test did not expect ${name} to be called.`);
}

/** The use cases with one queued job and nothing else; a test overrides what it is about. */
export function fakeApplication(change: Partial<Application> = {}): Application {
  const job = aJobView();
  return {
    createUpload: () => unexpected('createUpload'),
    findUploads: async (_by, ids) => ids.map(() => null),
    submitJob: async () => ({ job, replayed: false }),
    cancelJob: async () => ({ job, outcome: 'CANCELED' }),
    retryJob: async () => ({ job, replayed: false }),
    deleteJob: async (_by, { id }) => ({ deletedId: id }),
    findJobs: async (_by, ids) => ids.map((id) => (id === JOB_ID ? job : null)),
    findJobByExternalId: async () => null,
    listJobs: async () => EMPTY_PAGE,
    countJobs: async () => 0,
    countJobsByStatus: async () => [],
    attemptsOf: async () => new Map(),
    queuePositionsOf: async () => new Map(),
    segmentsOf: async () => [],
    speakersOf: async () => [],
    textOf: async () => '',
    exportTranscript: async () => null,
    models: async () => [],
    watchJob: async function* (_by, { id }) {
      if (id !== JOB_ID) throw new NotFoundError('job', id);
      yield aProgressEvent({ type: 'SNAPSHOT' });
    },
    watchSegments: async function* () {},
    deadLetters: async () => EMPTY_PAGE,
    failureGroups: async () => [],
    requeueDeadLetters: () => unexpected('requeueDeadLetters'),
    discardDeadLetters: () => unexpected('discardDeadLetters'),
    queues: async () => [],
    queueStats: async () => null,
    pauseQueue: () => unexpected('pauseQueue'),
    resumeQueue: () => unexpected('resumeQueue'),
    setQueueConcurrency: () => unexpected('setQueueConcurrency'),
    ...change,
  };
}
