import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Queue, QueueEvents } from 'bullmq';
import { type ExecutionArgs, execute, GraphQLError, parse, subscribe, validate } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { createYoga } from 'graphql-yoga';
import pg from 'pg';
import { WebSocketServer } from 'ws';
import { JobWatch } from './job-watch.ts';
import { PLAIN_QUEUE, PlainJobs, type PlainTask } from './jobs.ts';
import { redisOptions } from './redis-options.ts';
import { createPlainSchema } from './schema.ts';

/**
 * The plain way's server: yoga and graphql-ws in front, rows in Postgres, tasks and live events by BullMQ.
 * `DATABASE_URL` and `REDIS_URL` say where those are.
 */
const connection = redisOptions(process.env);
// As many connections as the product's server has for its API.
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10 });
const queue = new Queue<PlainTask>(PLAIN_QUEUE, { connection });
const events = new QueueEvents(PLAIN_QUEUE, { connection });
await events.waitUntilReady();
const jobs = new PlainJobs(pool, queue);
const schema = createPlainSchema(jobs, new JobWatch(jobs, events));

const yoga = createYoga({ schema, graphiql: false, landingPage: false, logging: false, multipart: false });
const server = createServer(yoga);
const sockets = new WebSocketServer({ server, path: '/graphql' });
useServer(
  {
    execute,
    subscribe,
    onSubscribe: (_context, _id, { query, variables, operationName }) => {
      const document = parse(query);
      const errors = validate(schema, document);
      if (errors.length > 0) return errors;
      const args: ExecutionArgs = { schema, document };
      if (variables != null) args.variableValues = variables;
      if (operationName != null) args.operationName = operationName;
      return args;
    },
    onError: (_context, _id, _payload, errors) => errors.map((error) => new GraphQLError(error.message)),
  },
  sockets,
);
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
process.send?.({ type: 'ready', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });

process.once('SIGTERM', async () => {
  for (const socket of sockets.clients) socket.terminate();
  server.close();
  server.closeAllConnections();
  await Promise.all([queue.close(), events.close(), pool.end()]);
  process.exit(0);
});
