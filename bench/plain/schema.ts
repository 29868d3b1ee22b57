import { createGraphQLError, createSchema } from 'graphql-yoga';
import type { JobWatch } from './job-watch.ts';
import type { PlainJob, PlainJobs, SubmitInput } from './jobs.ts';

/** The part of the product's API that the benchmark calls, with the same names and shapes. */
const TYPE_DEFINITIONS = /* GraphQL */ `
  scalar JSONObject
  interface UserError {
    code: String!
    message: String!
  }
  type ValidationError implements UserError {
    code: String!
    message: String!
  }
  enum JobStatus {
    QUEUED
    PROCESSING
    COMPLETED
    FAILED
  }
  type JobProgress {
    fraction: Float!
    processedSeconds: Float!
    totalSeconds: Float
    segmentCount: Int!
  }
  type TranscriptSegment {
    index: Int!
    startMs: Int!
    endMs: Int!
    text: String!
  }
  type Job {
    id: ID!
    status: JobStatus!
    revision: Int!
    progress: JobProgress!
  }
  input AudioInput {
    url: String!
  }
  input SubmitJobInput {
    audio: AudioInput!
    tags: [String!]
    metadata: JSONObject
  }
  type SubmitJobPayload {
    job: Job!
  }
  union SubmitJobResult = SubmitJobPayload | ValidationError
  type JobProgressEvent {
    type: String!
    newSegments: [TranscriptSegment!]!
    job: Job!
  }
  type Query {
    job(id: ID!): Job
  }
  type Mutation {
    submitJob(input: SubmitJobInput!): SubmitJobResult!
    submitJobs(input: [SubmitJobInput!]!): [SubmitJobResult!]!
  }
  type Subscription {
    jobProgress(id: ID!): JobProgressEvent!
  }
`;

export function createPlainSchema(jobs: PlainJobs, watch: JobWatch) {
  return createSchema({
    typeDefs: TYPE_DEFINITIONS,
    resolvers: {
      Query: { job: (_: unknown, { id }: { id: string }) => jobs.find(id) },
      Mutation: {
        submitJob: async (_: unknown, { input }: { input: SubmitInput }) =>
          refusalOf(input) ?? accepted(await jobs.submit(input)),
        submitJobs: async (_: unknown, { input }: { input: SubmitInput[] }) => {
          const refusals = input.map(refusalOf);
          const valid = input.filter((_, at) => refusals[at] === null);
          const submitted = (await jobs.submitMany(valid)).values();
          return refusals.map((refusal) => refusal ?? accepted(submitted.next().value as PlainJob));
        },
      },
      Subscription: {
        jobProgress: {
          subscribe: async (_: unknown, { id }: { id: string }) => {
            const events = await watch.open(id);
            if (events === null) throw createGraphQLError(`There is no job ${id}.`);
            return events;
          },
          resolve: (event: unknown) => event,
        },
      },
    },
  });
}

function refusalOf({ audio }: SubmitInput) {
  if (/^https?:/.test(audio.url) && URL.canParse(audio.url)) return null;
  const message = '`audio.url` must be an http or https URL.';
  return { __typename: 'ValidationError', code: 'VALIDATION_FAILED', message };
}

const accepted = (job: PlainJob) => ({ __typename: 'SubmitJobPayload', job });
