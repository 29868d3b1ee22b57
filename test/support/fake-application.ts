import type { Api } from '../../src/app/application.ts';
import { NotFoundError } from '../../src/domain/errors.ts';
import type { JobView } from '../../src/domain/job-view.ts';
import type { JobProgressEvent } from '../../src/live/watch-job.ts';
import { DEFAULT_OPTIONS, JOB_ID, NOON } from './builders.ts';

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
    options: DEFAULT_OPTIONS,
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

/** Methods that a test puts in place of the fake's, by group. */
export type ApiOverrides = { readonly [Group in keyof Api]?: Partial<Api[Group]> };

/** The service with one queued job and nothing else; a test overrides what it is about. */
export function fakeApi(change: ApiOverrides = {}): Api {
  const job = aJobView();
  return {
    jobs: {
      submit: async () => ({ job, replayed: false }),
      cancel: async () => ({ job, outcome: 'CANCELED' }),
      retry: async () => ({ job, replayed: false }),
      delete: async ({ id }) => ({ deletedId: id }),
      find: async (ids) => ids.map((id) => (id === JOB_ID ? job : null)),
      findByExternalId: async () => null,
      list: async () => EMPTY_PAGE,
      count: async () => 0,
      countByStatus: async () => [],
      attempts: async () => new Map(),
      queuePositions: async () => new Map(),
      watch: async function* ({ id }) {
        if (id !== JOB_ID) throw new NotFoundError('job', id);
        yield aProgressEvent({ type: 'SNAPSHOT' });
      },
      watchSegments: async function* () {},
      ...change.jobs,
    },
    transcripts: {
      segments: async () => ({ segments: [], hasPreviousPage: false, hasNextPage: false }),
      speakers: async () => [],
      text: async () => '',
      describeExport: async () => null,
      openExport: async () => null,
      ...change.transcripts,
    },
    deadLetters: {
      list: async () => EMPTY_PAGE,
      groups: async () => [],
      requeue: () => unexpected('deadLetters.requeue'),
      discard: () => unexpected('deadLetters.discard'),
      ...change.deadLetters,
    },
    queues: {
      list: async () => [],
      stats: () => unexpected('queues.stats'),
      pause: () => unexpected('queues.pause'),
      resume: () => unexpected('queues.resume'),
      setConcurrency: () => unexpected('queues.setConcurrency'),
      ...change.queues,
    },
    uploads: {
      create: () => unexpected('uploads.create'),
      find: async (ids) => ids.map(() => null),
      receive: () => unexpected('uploads.receive'),
      findStored: () => unexpected('uploads.findStored'),
      ...change.uploads,
    },
    models: { list: async () => [], ...change.models },
  };
}
