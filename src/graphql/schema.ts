import type { GraphQLSchema } from 'graphql';
import { builder } from './builder.ts';
import './scalars.ts';
import './types/dead-letter.ts';
import './types/job.ts';
import './types/job-mutations.ts';
import './types/job-queries.ts';
import './types/job-subscriptions.ts';
import './types/model.ts';
import './types/node.ts';
import './types/queue.ts';
import './types/transcript.ts';
import './types/upload.ts';
import './types/user-error.ts';

/** The GraphQL schema. */
export const schema: GraphQLSchema = builder.toSchema();
