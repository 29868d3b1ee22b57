import { describe, expect, it } from 'vitest';
import { JobListQuery } from '../../../src/domain/job-list.ts';

describe('the query of a list', () => {
  it('shows the newest first by default', () => {
    expect(JobListQuery.parse({})).toEqual({
      filter: {},
      orderBy: { field: 'SUBMITTED_AT', direction: 'DESC' },
    });
  });

  it('accepts every field', () => {
    const query = {
      filter: {
        ...{ status: ['QUEUED'], queue: ['whisper'], priority: ['HIGH'], model: ['base'], language: ['en'] },
        ...{
          tags: ['a'],
          externalId: ['x'],
          engine: ['WHISPER'],
          failureKind: ['FETCH'],
          deadLettered: true,
        },
        ...{ workerId: 'wrk_1', submittedAt: { gte: new Date(0), lt: new Date(1) } },
        ...{ finishedAt: { gt: new Date(0), lte: new Date(1) }, search: 'abc' },
      },
      orderBy: { field: 'AUDIO_DURATION', direction: 'ASC' },
      ...{ first: 100, after: 'x', last: 1, before: 'y' },
    };

    expect(JobListQuery.parse(query)).toEqual(query);
  });

  it.each([
    { what: 'an empty page', query: { first: 0 } },
    { what: 'too large a page', query: { first: 101 } },
    { what: 'an empty last page', query: { last: 0 } },
    { what: 'too large a last page', query: { last: 101 } },
    { what: 'an unknown status', query: { filter: { status: ['DONE'] } } },
    { what: 'too short a search', query: { filter: { search: 'ab' } } },
    { what: 'too long a search', query: { filter: { search: 'x'.repeat(101) } } },
    { what: 'a date that is text', query: { filter: { submittedAt: { gte: '2026-01-01' } } } },
    { what: 'an unknown order', query: { orderBy: { field: 'PRICE', direction: 'ASC' } } },
    { what: 'an unknown direction', query: { orderBy: { field: 'SUBMITTED_AT', direction: 'UP' } } },
  ])('refuses $what', ({ query }) => {
    expect(JobListQuery.safeParse(query).success).toBe(false);
  });
});
