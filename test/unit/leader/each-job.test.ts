import { describe, expect, it } from 'vitest';
import { UnavailableError } from '../../../src/domain/errors.ts';
import { forEachJob } from '../../../src/leader/each-job.ts';
import { logLines } from '../../support/log-lines.ts';

const forever = new AbortController().signal;

function visit(work: (id: string) => void, signal = forever) {
  const { log, lines } = logLines();
  const visited: string[] = [];
  const done = forEachJob(
    ['a', 'b', 'c'],
    async (id) => {
      visited.push(id);
      work(id);
    },
    { signal, log, failed: 'it failed', jobIdOf: (id) => `job_${id}` },
  );
  return { done, visited, lines };
}

describe('forEachJob', () => {
  it('goes on behind a job for which the work fails, and logs which one', async () => {
    const { done, visited, lines } = visit((id) => {
      if (id === 'b') throw new Error('a bad row');
    });
    await done;

    expect(visited).toEqual(['a', 'b', 'c']);
    expect(lines).toMatchObject([{ msg: 'it failed', jobId: 'job_b', err: { message: 'a bad row' } }]);
  });

  it('stops where the database or NATS is unreachable, as that concerns every job', async () => {
    const { done, visited, lines } = visit(() => {
      throw new UnavailableError('gone');
    });

    await expect(done).rejects.toThrow(UnavailableError);
    expect(visited).toEqual(['a']);
    expect(lines).toEqual([]);
  });

  it('stops between two jobs when the signal aborts', async () => {
    const stop = new AbortController();
    const { done, visited } = visit(() => stop.abort(), stop.signal);
    await done;

    expect(visited).toEqual(['a']);
  });
});
