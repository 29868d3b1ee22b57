import { describe, expect, it } from 'vitest';
import { parseExportUrl, SignedLinks } from '../../../src/auth/signed-links.ts';
import type { ExportRequest } from '../../../src/captions/export-options.ts';
import { JOB_ID, later, NOON } from '../../support/builders.ts';

const REQUEST: ExportRequest = {
  format: 'SRT',
  options: { preset: 'WEB', maxCharsPerLine: 50, maxLines: 3, includeSpeakers: true, highlightWords: false },
};

function linksAt(now: Date, secret = 'secret'): SignedLinks {
  return new SignedLinks({ secret, baseUrl: 'https://api.example/base/', now: () => now });
}

const VALID = { principal: { tenantId: 'ten_1', actor: 'link' } };
const INVALID = { principal: null, problem: 'INVALID' };

describe('signed links', () => {
  const url = new URL(linksAt(NOON).exportUrl('ten_1', JOB_ID, REQUEST, later(10_000)));

  it('are good for their method until they expire', () => {
    expect(linksAt(later(9000)).check('GET', url)).toEqual(VALID);
    expect(linksAt(later(9000)).check('HEAD', url)).toEqual(VALID);
    expect(linksAt(later(9000)).check('PUT', url)).toEqual(INVALID);
    expect(linksAt(later(11_000)).check('GET', url)).toEqual({ principal: null, problem: 'EXPIRED' });
  });

  it.each([
    [
      'path',
      (copy: URL) => {
        copy.pathname += 'x';
      },
    ],
    ['tenant', (copy: URL) => copy.searchParams.set('tenant', 'ten_2')],
    ['missing tenant', (copy: URL) => copy.searchParams.delete('tenant')],
    ['time', (copy: URL) => copy.searchParams.set('expires', '9999999999')],
    ['parameter', (copy: URL) => copy.searchParams.set('options', '{}')],
    ['further parameter', (copy: URL) => copy.searchParams.append('options', '{}')],
    ['signature', (copy: URL) => copy.searchParams.set('signature', 'AAAA')],
    ['missing signature', (copy: URL) => copy.searchParams.delete('signature')],
  ])('are not good with another %s', (_part, change) => {
    const copy = new URL(url);
    change(copy);

    expect(linksAt(NOON).check('GET', copy)).toEqual(INVALID);
  });

  it('are not good for another secret', () => {
    expect(linksAt(NOON, 'other').check('GET', url)).toEqual(INVALID);
  });

  it('stay good when a proxy sorts their parameters', () => {
    const copy = new URL(url);
    copy.searchParams.sort();

    expect(linksAt(NOON).check('GET', copy)).toEqual(VALID);
  });

  it('carry an export request there and back', () => {
    const local = new URL(url.href.replace('/base', ''));

    expect(parseExportUrl(local)).toEqual({ jobId: JOB_ID, request: REQUEST });
    expect(parseExportUrl(new URL('https://api.example/exports/job_1.exe'))).toBeNull();
  });

  it('leave to the preset what the request leaves to it', () => {
    const options = {
      preset: 'KARAOKE',
      maxCharsPerLine: null,
      maxLines: null,
      highlightWords: null,
    } as const;
    const request = { format: 'VTT', options: { ...options, includeSpeakers: false } } as const;
    const signed = new SignedLinks({ secret: 's', baseUrl: 'https://api.example', now: () => NOON });

    const parsed = parseExportUrl(new URL(signed.exportUrl('ten_1', JOB_ID, request, later(10_000))));

    expect(parsed).toEqual({ jobId: JOB_ID, request });
  });
});
