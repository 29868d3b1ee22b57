import { HttpError } from './http-error.ts';

export interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

/**
 * One range of a file, or null for the whole file. Multiple ranges and other units are ignored, as RFC 9110 section 14.2
 * allows.
 *
 * @throws HttpError 416 for a range outside the file.
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (match === null) return null;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return null;
  const start = first === '' ? Math.max(sizeBytes - Number(last), 0) : Number(first);
  const end = first === '' || last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return null;
  if (start > end || (first === '' && last === '0')) {
    throw new HttpError(416, 'RANGE_NOT_SATISFIABLE', `The file has ${sizeBytes} bytes.`, {
      'content-range': `bytes */${sizeBytes}`,
    });
  }
  return { start, end };
}
