import { describe, expect, it } from 'vitest';
import { asUploadError, LocalUploadStore } from '../../../src/uploads/local-store.ts';

const ALIVE = new AbortController().signal;

describe('the local upload store', () => {
  it.each([
    ['ENOSPC', 'STORAGE_FULL'],
    ['EDQUOT', 'STORAGE_FULL'],
    ['ECONNRESET', 'UPLOAD_INTERRUPTED'],
    ['ERR_STREAM_PREMATURE_CLOSE', 'UPLOAD_INTERRUPTED'],
  ])('reports %s as %s', (systemCode, code) => {
    expect(asUploadError(Object.assign(new Error(systemCode), { code: systemCode }), ALIVE)).toMatchObject({
      code,
    });
  });

  it('passes other errors on', () => {
    const error = new Error('EIO');

    expect(asUploadError(error, ALIVE)).toBe(error);
  });

  it.each(['../secret', 'upl_../x', 'job_0190a1b2c3d47e8f9a0b1c2d3e4f5a6b', ''])(
    'makes no path of %s',
    async (id) => {
      const store = new LocalUploadStore('/srv/uploads');

      await expect(store.remove(id)).rejects.toThrow(/not the id of an upload/);
      await expect(store.open(id, 'ab'.repeat(32), { start: 0, end: 0 })).rejects.toThrow(
        /not the id of an upload/,
      );
    },
  );
});
