import { describe, expect, it } from 'vitest';
import {
  ATTEMPT_OUTCOMES,
  ENGINES,
  engineOf,
  FAILURE_KINDS,
  FINAL_STATUSES,
  isFinal,
  JOB_PRIORITIES,
  JOB_STAGES,
  JOB_STATUSES,
  queueOf,
  TIMESTAMP_GRANULARITIES,
} from '../../../src/domain/vocabulary.ts';

describe('the vocabulary', () => {
  it.each([
    ATTEMPT_OUTCOMES,
    ENGINES,
    FAILURE_KINDS,
    JOB_PRIORITIES,
    JOB_STAGES,
    JOB_STATUSES,
    TIMESTAMP_GRANULARITIES,
  ])('has each word once, in the case of GraphQL enums', (...words) => {
    expect(new Set(words).size).toBe(words.length);
    for (const word of words) expect(word).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
  });

  it('counts completed, failed and canceled jobs as final', () => {
    expect(JOB_STATUSES.filter(isFinal)).toEqual([...FINAL_STATUSES]);
    expect(JOB_STATUSES.filter((status) => !isFinal(status))).toEqual([
      'SCHEDULED',
      'QUEUED',
      'PROCESSING',
      'RETRYING',
    ]);
  });

  it('orders priorities from the least to the most urgent', () => {
    expect(JOB_PRIORITIES).toEqual(['LOW', 'NORMAL', 'HIGH', 'CRITICAL']);
  });

  it.each(ENGINES)('has one queue for each engine (%s)', (engine) => {
    expect(queueOf(engine)).toMatch(/^[a-z]+$/);
    expect(engineOf(queueOf(engine))).toBe(engine);
  });
});
