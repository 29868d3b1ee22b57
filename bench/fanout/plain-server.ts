import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { useServer } from 'graphql-ws/use/ws';
import { createSchema } from 'graphql-yoga';
import { WebSocketServer } from 'ws';

/**
 * What many subscribers of one source cost when nothing but graphql-ws is in between: an event every `PACE_MS` from
 * memory, to each subscriber by an execution of its own.
 */
const PACE_MS = Number(process.env.PACE_MS);
const subscribers = new Set<(event: unknown) => void>();
let segments = 0;

setInterval(() => {
  const [startMs, endMs] = [segments * 1000, segments * 1000 + 900];
  const text = `bench ${segments}: amber boat cedar dawn ember field grain.`;
  const newSegments = [{ index: segments, startMs, endMs, text }];
  segments += 1;
  const processedSeconds = endMs / 1000;
  const progress = { fraction: 0.5, processedSeconds, totalSeconds: 3600, segmentCount: segments };
  const job = { status: 'PROCESSING', revision: segments, progress };
  for (const tell of subscribers) tell({ type: 'PROGRESS', newSegments, job });
}, PACE_MS);

const schema = createSchema({
  typeDefs: /* GraphQL */ `
    type Query {
      ok: Boolean
    }
    type JobProgress {
      fraction: Float!
      processedSeconds: Float!
      totalSeconds: Float
      segmentCount: Int!
    }
    type Job {
      status: String!
      revision: Int!
      progress: JobProgress!
    }
    type TranscriptSegment {
      index: Int!
      startMs: Int!
      endMs: Int!
      text: String!
    }
    type JobProgressEvent {
      type: String!
      newSegments: [TranscriptSegment!]!
      job: Job!
    }
    type Subscription {
      jobProgress(id: ID!): JobProgressEvent!
    }
  `,
  resolvers: {
    Subscription: { jobProgress: { subscribe: () => follow(), resolve: (event: unknown) => event } },
  },
});

async function* follow(): AsyncGenerator<unknown, void, void> {
  const pending: unknown[] = [];
  let wake: () => void = () => {};
  const tell = (event: unknown): void => {
    pending.push(event);
    wake();
  };
  subscribers.add(tell);
  try {
    for (;;) {
      if (pending.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      yield* pending.splice(0);
    }
  } finally {
    subscribers.delete(tell);
  }
}

const server = createServer();
useServer({ schema }, new WebSocketServer({ server, path: '/graphql' }));
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
process.send?.({ type: 'ready', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
process.once('SIGTERM', () => process.exit(0));
