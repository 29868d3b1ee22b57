import type { RedisOptions } from 'bullmq';

/** Of the Redis that `REDIS_URL` names, as BullMQ wants them. */
export function redisOptions(env: NodeJS.ProcessEnv): RedisOptions {
  const { hostname, port } = new URL(env.REDIS_URL ?? '');
  return { host: hostname, port: Number(port), maxRetriesPerRequest: null };
}
