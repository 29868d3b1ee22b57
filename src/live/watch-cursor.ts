import { z } from 'zod';

/**
 * Where a subscriber is: the segments it has (of a generation of the transcript) and the last revision it got. Made of
 * what Postgres holds and not of stream sequences, so it stays valid on every server, also when the broker loses its disk.
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

const CURSOR = /^1\.([a-z]{3}_[0-9a-f]{32})\.(\d{1,9})\.(\d{1,9})\.(\d{1,9})$/;

export const WatchCursor = z.string().transform((text, context): WatchCursor => {
  const parts = CURSOR.exec(Buffer.from(text, 'base64url').toString('latin1'));
  if (parts === null) {
    const message = 'is not a cursor of this subscription';
    context.addIssue({ code: 'custom', message, params: { rule: 'cursor' } });
    return z.NEVER;
  }
  const [, jobId = '', generation, nextIndex, revision] = parts;
  return { jobId, generation: Number(generation), nextIndex: Number(nextIndex), revision: Number(revision) };
});
