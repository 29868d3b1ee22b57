import { pino } from 'pino';
import type { Logger } from '../../src/observability/logger.ts';

export interface LogLines {
  readonly log: Logger;
  readonly lines: readonly { readonly msg: string; readonly [field: string]: unknown }[];
  /** The texts of `lines`. */
  readonly messages: readonly string[];
}

/** A logger whose lines a test can read. */
export function logLines(): LogLines {
  const lines: { msg: string }[] = [];
  const messages: string[] = [];
  const log = pino(
    { level: 'debug' },
    {
      write: (text) => {
        const line = JSON.parse(text);
        lines.push(line);
        messages.push(line.msg);
      },
    },
  );
  return { log, lines, messages };
}
