import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/**
 * The structured logger of a process: JSON lines on standard error. Common fields: `jobId`, `attempt`, `workerId`,
 * `requestId`, `queue`, `sequence`, `err`. Never log secrets or signed query strings.
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
