import { ValidationError } from '../../domain/errors.ts';
import { DEFAULT_MIN_INTERVAL_MS, type JobProgressEvent } from '../../live/watch-job.ts';
import type { JobSegmentsEvent } from '../../live/watch-segments.ts';
import { builder } from '../builder.ts';
import { COUNTED_BY_PAGE } from '../limits.ts';
import { watch } from '../watch.ts';
import { JobRef } from './job.ts';
import { JobStatusEnum } from './job-enums.ts';
import { SegmentRef, segmentsOfJob } from './segment.ts';

const JobProgressEventTypeEnum = builder.enumType('JobProgressEventType', {
  description: 'Kind of a progress event.',
  values: {
    SNAPSHOT: {
      description: 'State at the start of the subscription, or after the transcript started over.',
    },
    PROGRESS: { description: 'New progress or new segments.' },
    STATUS: { description: 'The status changed.' },
  } as const satisfies Record<JobProgressEvent['type'], { readonly description: string }>,
});

const JobProgressEventRef = builder.objectRef<JobProgressEvent>('JobProgressEvent').implement({
  description: 'State of a job, and the segments that are new since the previous event.',
  fields: (t) => ({
    type: t.expose('type', { type: JobProgressEventTypeEnum, description: 'Kind of the event.' }),
    newSegments: t.field({
      type: [SegmentRef],
      complexity: COUNTED_BY_PAGE,
      description:
        'Segments since the previous event; with `after`, the first event contains those that were missed.',
      resolve: ({ job, newSegments }) => segmentsOfJob(job.id, newSegments),
    }),
    cursor: t.exposeString('cursor', { description: 'Opaque; pass it as `after` to resume.' }),
    at: t.expose('at', { type: 'DateTime', description: 'Time of the event.' }),
    coalesced: t.exposeInt('coalesced', {
      description: 'Number of progress updates merged into this event because the client was slow.',
    }),
    job: t.expose('job', { type: JobRef, description: 'The job at that time.' }),
  }),
});

const JobSegmentsEventRef = builder
  .objectRef<JobSegmentsEvent & { readonly jobId: string }>('JobSegmentsEvent')
  .implement({
    description: 'Consecutive segments of a transcript.',
    fields: (t) => ({
      cursor: t.exposeString('cursor', { description: 'Opaque; pass it as `after` to resume.' }),
      from: t.exposeInt('from', {
        description: "Index of the first segment: the previous event's `to` plus one.",
      }),
      to: t.exposeInt('to', { description: 'Index of the last segment.' }),
      segments: t.field({
        type: [SegmentRef],
        complexity: COUNTED_BY_PAGE,
        description: 'The segments.',
        resolve: ({ jobId, segments }) => segmentsOfJob(jobId, segments),
      }),
      jobStatus: t.expose('jobStatus', {
        type: JobStatusEnum,
        description: 'Status of the job at that time.',
      }),
    }),
  });

builder.subscriptionFields((t) => ({
  jobProgress: t.field({
    type: JobProgressEventRef,
    description:
      'Sends the current state, then every change, and completes after a final status. To resume, pass the ' +
      'last `cursor` as `after`.',
    args: {
      id: t.arg.id({ required: true, description: 'Id of the job.' }),
      after: t.arg.string({ description: 'Cursor of the last event that you received.' }),
      minIntervalMs: t.arg.int({
        defaultValue: DEFAULT_MIN_INTERVAL_MS,
        description: 'Minimum milliseconds between two PROGRESS events; 100 to 10,000.',
      }),
    },
    subscribe: (_root, args, { api, signal }) => watch((ended) => api.jobs.watch(args, ended), signal),
    resolve: (event) => event,
  }),
  jobSegments: t.field({
    type: JobSegmentsEventRef,
    description: 'Sends every segment once, in order, from `after` or the start, and completes with the job.',
    args: {
      id: t.arg.id({ required: true, description: 'Id of the job.' }),
      after: t.arg.string({ description: 'Cursor of the last event that you received.' }),
      includeInterim: t.arg.boolean({
        defaultValue: false,
        description:
          'Whether to include segments that may still change. No engine supports this yet; must be false.',
      }),
    },
    subscribe: (_root, { includeInterim, ...args }, { api, signal }) => {
      if (includeInterim === true) {
        throw new ValidationError(
          [
            {
              path: ['includeInterim'],
              rule: 'supported',
              message: '`includeInterim` must be false: no engine supports interim segments yet.',
            },
          ],
          'UNSUPPORTED',
        );
      }
      return watch((ended) => api.jobs.watchSegments(args, ended), signal);
    },
    resolve: (event, { id }) => ({ ...event, jobId: id }),
  }),
}));
