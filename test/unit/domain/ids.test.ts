import { v7 as uuidv7 } from 'uuid';
import { describe, expect, it } from 'vitest';
import { ID_PREFIXES, type IdType, isIdOf, toId, typeOfId } from '../../../src/domain/ids.ts';

const TYPES = Object.keys(ID_PREFIXES) as IdType[];

describe('ids', () => {
  it.each(TYPES)('name their type (%s)', (type) => {
    const id = toId(type, uuidv7());

    expect(id).toMatch(/^[a-z]{3}_[0-9a-f]{32}$/);
    expect(typeOfId(id)).toBe(type);
    expect(TYPES.filter((other) => isIdOf(other, id))).toEqual([type]);
  });

  it('sort by the time they were made', () => {
    const early = toId('Job', uuidv7({ msecs: 1_000 }));
    const late = toId('Job', uuidv7({ msecs: 2_000 }));

    expect(early < late).toBe(true);
  });

  it('are safe as one token of a subject', () => {
    expect(toId('Job', uuidv7())).not.toMatch(/[.*> ]/);
  });

  it.each(['', 'job', 'job_', '_1', 'abc_1', 'JOB_1', 'job_a.b', 'job_*', 'job_>', 'job_a b', 'job_1\n'])(
    'are not %j',
    (text) => {
      expect(typeOfId(text)).toBeNull();
    },
  );
});
