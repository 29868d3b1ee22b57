import { pino } from 'pino';
import type { Logger } from '../../src/observability/logger.ts';

/** A logger whose lines a test can read. */
export function logLines(): { readonly log: Logger; readonly messages: string[] } {
  const messages: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => messages.push(JSON.parse(line).msg) });
  return { log, messages };
}
