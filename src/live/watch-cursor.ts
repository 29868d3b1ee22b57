import { ValidationError } from '../domain/errors.ts';

/**
 * Where a subscriber is: the segments it has (of a generation of the transcript) and the last revision it
 * saw. Made of what Postgres holds and not of stream sequences, so it stays good when the broker loses its disk, and on
 * every server.
 */
export interface WatchCursor {
  readonly jobId: string;
  readonly generation: number;
  readonly nextIndex: number;
  readonly revision: number;
}

export function encodeCursor({ jobId, generation, nextIndex, revision }: WatchCursor): string {
  return Buffer.from(`1.${jobId}.${generation}.${nextIndex}.${revision}`).toString('base64url');
}

/** @throws ValidationError for a cursor that is none of ours, or another job's. */
export function decodeCursor(text: string, jobId: string): WatchCursor {
  const parts = /^1\.([a-z]{3}_[0-9a-f]{32})\.(\d{1,9})\.(\d{1,9})\.(\d{1,9})$/.exec(
    Buffer.from(text, 'base64url').toString('latin1'),
  );
  const refuse = (why: string) =>
    new ValidationError([{ path: ['after'], rule: 'cursor', message: `\`after\` ${why}` }]);
  if (parts === null) throw refuse('is not a cursor of this subscription.');
  const [, ofJob = '', generation, nextIndex, revision] = parts;
  if (ofJob !== jobId) throw refuse(`is a cursor of job ${ofJob}.`);
  return { jobId, generation: Number(generation), nextIndex: Number(nextIndex), revision: Number(revision) };
}
