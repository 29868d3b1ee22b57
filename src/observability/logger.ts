import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/**
 * One structured logger a process, JSON lines on standard error. Fields used everywhere: `jobId`, `attempt`,
 * `workerId`, `requestId`, `queue`, `sequence`, `err`. Secrets and signed query strings never get in.
 */
export function createLogger(name: string, level: string): Logger {
  return pino(
    {
      name,
      level,
      redact: ['authorization', '*.authorization', 'apiKey', '*.apiKey', 'secret', '*.secret'],
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
