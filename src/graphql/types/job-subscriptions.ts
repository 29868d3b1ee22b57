import { ValidationError } from '../../domain/errors.ts';
import {
  DEFAULT_MIN_INTERVAL_MS,
  type JobProgressEvent,
  type JobSegmentsEvent,
} from '../../live/watch-job.ts';
import { builder } from '../builder.ts';
import { COUNTED_BY_PAGE } from '../limits.ts';
import { watch } from '../watch.ts';
import { JobRef } from './job.ts';
import { JobStatusEnum } from './job-enums.ts';
import { SegmentRef, segmentsOfJob } from './segment.ts';

const JobProgressEventTypeEnum = builder.enumType('JobProgressEventType', {
  description: 'What a progress event is about.',
  values: {
    SNAPSHOT: { description: 'The state when the subscription began.' },
    PROGRESS: { description: 'Progress or new segments.' },
    STATUS: { description: 'The status changed.' },
  } as const satisfies Record<JobProgressEvent['type'], { readonly description: string }>,
});

const JobProgressEventRef = builder.objectRef<JobProgressEvent>('JobProgressEvent').implement({
  description: 'A job at one moment, and what is new since the event before.',
  fields: (t) => ({
    type: t.expose('type', { type: JobProgressEventTypeEnum, description: 'What it is about.' }),
    newSegments: t.field({
      type: [SegmentRef],
      complexity: COUNTED_BY_PAGE,
      description:
        'Segments stored since the previous event; the first event after `after` brings those missed.',
      resolve: ({ job, newSegments }) => segmentsOfJob(job.id, newSegments),
    }),
    cursor: t.exposeString('cursor', { description: 'Opaque; pass as `after`.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When it happened.' }),
    coalesced: t.exposeInt('coalesced', {
      description: 'Progress steps merged into this one for a slow reader.',
    }),
    job: t.expose('job', { type: JobRef, description: 'The job as it was then.' }),
  }),
});

const JobSegmentsEventRef = builder
  .objectRef<JobSegmentsEvent & { readonly jobId: string }>('JobSegmentsEvent')
  .implement({
    description: 'Segments in order.',
    fields: (t) => ({
      cursor: t.exposeString('cursor', { description: 'Opaque; pass as `after`.' }),
      from: t.exposeInt('from', {
        description: "Index of the first segment. Gapless: the previous event's `to` plus one.",
      }),
      to: t.exposeInt('to', { description: 'Index of the last segment.' }),
      segments: t.field({
        type: [SegmentRef],
        complexity: COUNTED_BY_PAGE,
        description: 'The segments.',
        resolve: ({ jobId, segments }) => segmentsOfJob(jobId, segments),
      }),
      jobStatus: t.expose('jobStatus', { type: JobStatusEnum, description: 'Status of the job then.' }),
    }),
  });

builder.subscriptionFields((t) => ({
  jobProgress: t.field({
    type: JobProgressEventRef,
    description:
      'Current state at once, then every change; ends after a final status. Give the last `cursor` as ' +
      '`after` to resume.',
    args: {
      id: t.arg.id({ required: true, description: 'The job.' }),
      after: t.arg.string({ description: 'Cursor of the last event you have.' }),
      minIntervalMs: t.arg.int({
        defaultValue: DEFAULT_MIN_INTERVAL_MS,
        description: 'Least time between two PROGRESS events, milliseconds; 100 to 10 000.',
      }),
    },
    subscribe: (_root, args, { api, signal }) => watch((ended) => api.jobs.watch(args, ended), signal),
    resolve: (event) => event,
  }),
  jobSegments: t.field({
    type: JobSegmentsEventRef,
    description: 'Every segment once, in order, from `after` or the start; ends with the job.',
    args: {
      id: t.arg.id({ required: true, description: 'The job.' }),
      after: t.arg.string({ description: 'Cursor of the last event you have.' }),
      includeInterim: t.arg.boolean({
        defaultValue: false,
        description: 'Also segments that may still change; no engine has any yet, so only false is taken.',
      }),
    },
    subscribe: (_root, { includeInterim, ...args }, { api, signal }) => {
      if (includeInterim === true) {
        throw new ValidationError(
          [{ path: ['includeInterim'], rule: 'supported', message: 'No engine has interim segments yet.' }],
          'UNSUPPORTED',
        );
      }
      return watch((ended) => api.jobs.watchSegments(args, ended), signal);
    },
    resolve: (event, { id }) => ({ ...event, jobId: id }),
  }),
}));
