import { Queue } from 'bullmq';
import pg from 'pg';
import { GraphQLClient } from '../../test/support/graphql-client.ts';
import { PLAIN_QUEUE } from '../plain/jobs.ts';
import { redisOptions } from '../plain/redis-options.ts';
import type { PlainService } from '../plain/with-plain-service.ts';
import type { WholeSystem } from '../support/whole-system.ts';
import { ApiClient } from './api-client.ts';

/** One of the two services that are compared. */
export interface Side {
  readonly name: 'product' | 'plain';
  readonly client: ApiClient;
  readonly database: pg.Pool;
  readonly pids: Readonly<Record<'server' | 'worker' | 'postgres' | 'broker', number>>;
  /** No job that is submitted from now on starts. */
  pause(): Promise<void>;
  /** Forgets the jobs that wait, and lets new ones start. */
  clearAndResume(): Promise<void>;
  close(): Promise<void>;
}

interface Sizes {
  readonly connections: number;
}

const PAUSE = 'mutation { pauseQueue(input: { name: "whisper", reason: "bench" }) { __typename } }';
const RESUME = 'mutation { resumeQueue(input: { name: "whisper" }) { __typename } }';
const DELETE_WAITING = `DELETE FROM jobs WHERE status = 'QUEUED'`;

export function productSide({ url, databaseUrl, pids }: WholeSystem, sizes: Sizes): Side {
  const client = new ApiClient(url, sizes);
  const database = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  const queue = new GraphQLClient(url);
  return {
    ...{ name: 'product', client, database, pids },
    async pause() {
      await queue.request(PAUSE);
    },
    async clearAndResume() {
      await database.query(DELETE_WAITING);
      await queue.request(RESUME);
    },
    async close() {
      queue.close();
      await Promise.all([client.close(), database.end()]);
    },
  };
}

export function plainSide({ url, databaseUrl, redisUrl, pids }: PlainService, sizes: Sizes): Side {
  const client = new ApiClient(url, sizes);
  const database = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  const queue = new Queue(PLAIN_QUEUE, { connection: redisOptions({ REDIS_URL: redisUrl }) });
  return {
    ...{ name: 'plain', client, database, pids },
    pause: () => queue.pause(),
    async clearAndResume() {
      await queue.drain();
      await database.query(DELETE_WAITING);
      await queue.resume();
    },
    async close() {
      await Promise.all([client.close(), database.end(), queue.close()]);
    },
  };
}
