import { describe, expect, it } from 'vitest';
import type { JobView } from '../../../src/domain/job-view.ts';
import type { Segment } from '../../../src/domain/transcript.ts';
import { JobChannel, type StoredSnapshot } from '../../../src/live/job-channel.ts';
import { aProgress, aSegment, aSegmentsEvent, aStartedEvent } from '../../support/builders.ts';
import { aJobView } from '../../support/fake-application.ts';

const segmentsFrom = (first: number, count: number): Segment[] =>
  Array.from({ length: count }, (_, offset) => {
    const index = first + offset;
    return aSegment({ index, startMs: index * 1_000, endMs: (index + 1) * 1_000, text: `segment ${index}` });
  });

function stored(change: Partial<StoredSnapshot> = {}, view: Partial<JobView> = {}): StoredSnapshot {
  return {
    view: aJobView({ status: 'PROCESSING', attempt: 1, revision: 5, ...view }),
    generation: 1,
    segmentCount: 2,
    ...change,
  };
}

/** Two segments are stored; the run of attempt 1 goes on. */
const aChannel = (change: Partial<StoredSnapshot> = {}): JobChannel => new JobChannel(stored(change));
const indexesFrom = (channel: JobChannel, index: number) =>
  channel.tailFrom(index)?.map((segment) => segment.index);

describe('live segments', () => {
  it('are passed on when they continue exactly where the channel is', () => {
    const channel = aChannel();

    channel.receiveEvent(aSegmentsEvent(segmentsFrom(2, 2)));
    channel.receiveEvent(aSegmentsEvent(segmentsFrom(4, 1)));

    expect(channel.nextIndex).toBe(5);
    expect(indexesFrom(channel, 2)).toEqual([2, 3, 4]);
    expect(indexesFrom(channel, 4)).toEqual([4]);
    expect(indexesFrom(channel, 5)).toEqual([]);
    expect(channel.view.progress).toMatchObject({ segmentCount: 5, processedSeconds: 5 });
  });

  it.each([
    { what: 'a gap', segments: segmentsFrom(3, 1) },
    { what: 'a repeat', segments: segmentsFrom(1, 1) },
    { what: 'no segment', segments: [] },
  ])('are ignored after $what', ({ segments }) => {
    const channel = aChannel();

    channel.receiveEvent(aSegmentsEvent(segments));

    expect(channel.nextIndex).toBe(2);
    expect(channel.version).toBe(0);
  });

  it('are ignored from another attempt, unless its run was seen to start', () => {
    const channel = aChannel();
    const next = aSegmentsEvent(segmentsFrom(2, 1), { attempt: 2, runId: 'run-b' });

    channel.receiveEvent(next);
    expect(channel.nextIndex).toBe(2);

    channel.receiveEvent(aStartedEvent({ attempt: 2, runId: 'run-b' }));
    channel.receiveEvent(next);
    expect(channel.nextIndex).toBe(3);
  });

  it('must be read from the database where they are stored already', () => {
    expect(aChannel().tailFrom(1)).toBeNull();
    expect(aChannel().tailFrom(2)).toEqual([]);
  });

  it('are kept up to a bound', () => {
    const channel = aChannel({ segmentCount: 0 });

    channel.receiveEvent(aSegmentsEvent(segmentsFrom(0, 1_999)));
    channel.receiveEvent(aSegmentsEvent(segmentsFrom(1_999, 1)));
    channel.receiveEvent(aSegmentsEvent(segmentsFrom(2_000, 1)));

    expect(channel.nextIndex).toBe(2_000);
  });

  it('do not move the position backwards', () => {
    const channel = aChannel();

    channel.receiveEvent(aSegmentsEvent(segmentsFrom(2, 1), { checkpointMs: 9_000 }));
    channel.receiveEvent(aSegmentsEvent(segmentsFrom(3, 1), { checkpointMs: 4_000 }));

    expect(channel.view.progress.processedSeconds).toBe(9);
  });

  it('are the only events that change the channel', () => {
    const channel = aChannel();

    channel.receiveEvent(aStartedEvent());

    expect(channel.version).toBe(0);
  });
});

describe('a stored row', () => {
  it('takes the place of the live segments that it has, and leaves the rest', () => {
    const channel = aChannel();
    channel.receiveEvent(aSegmentsEvent(segmentsFrom(2, 3)));

    channel.update(stored({ segmentCount: 4 }, { revision: 6 }));

    expect(channel.nextIndex).toBe(5);
    expect(channel.tailFrom(3)).toBeNull();
    expect(indexesFrom(channel, 4)).toEqual([4]);
  });

  it('that is ahead replaces everything live', () => {
    const channel = aChannel();
    channel.receiveEvent(aSegmentsEvent(segmentsFrom(2, 1)));

    channel.update(stored({ segmentCount: 3 }, { revision: 6 }));

    expect(channel.nextIndex).toBe(3);
    expect(channel.tailFrom(3)).toEqual([]);
  });

  it('that is older than the channel changes nothing, and one of the same revision is taken', () => {
    const channel = aChannel();

    channel.update(stored({ segmentCount: 9 }, { revision: 4 }));
    expect({ version: channel.version, nextIndex: channel.nextIndex }).toEqual({ version: 0, nextIndex: 2 });

    channel.update(stored({ segmentCount: 9 }, { revision: 5 }));
    expect({ version: channel.version, nextIndex: channel.nextIndex }).toEqual({ version: 1, nextIndex: 9 });
  });

  it('of the same run keeps the live progress', () => {
    const channel = aChannel();
    channel.receiveProgress(aProgress({ processedMs: 7_000 }));

    channel.update(stored({}, { revision: 6 }));

    expect(channel.view.progress.processedSeconds).toBe(7);
  });

  it.each([
    { what: 'generation', row: stored({ generation: 2, segmentCount: 0 }, { revision: 6 }), nextIndex: 0 },
    { what: 'attempt', row: stored({}, { revision: 6, attempt: 2 }), nextIndex: 3 },
  ])('of another $what discards live progress and position', ({ row, nextIndex }) => {
    const channel = aChannel();
    channel.receiveProgress(aProgress({ processedMs: 9_000 }));
    channel.receiveEvent(aSegmentsEvent(segmentsFrom(2, 1)));

    channel.update(row);

    expect(channel.generation).toBe(row.generation);
    expect(channel.nextIndex).toBe(nextIndex);
    expect(channel.view.progress).toMatchObject({ stage: 'FETCHING', processedSeconds: 0 });
  });

  it('of another attempt forgets which run had started', () => {
    const channel = aChannel();
    channel.receiveEvent(aStartedEvent({ attempt: 2, runId: 'run-b' }));

    channel.update(stored({}, { revision: 6, attempt: 3 }));
    channel.receiveEvent(aSegmentsEvent(segmentsFrom(2, 1), { attempt: 2, runId: 'run-b' }));

    expect(channel.nextIndex).toBe(2);
  });

  it('that is gone marks the channel as deleted', () => {
    const channel = aChannel();
    expect(channel.deleted).toBe(false);

    channel.update(null);

    expect({ deleted: channel.deleted, version: channel.version }).toEqual({ deleted: true, version: 1 });
  });
});

describe('live progress', () => {
  it('is counted, and the newest is shown', () => {
    const channel = aChannel();

    channel.receiveProgress(aProgress({ processedMs: 3_000 }));
    channel.receiveProgress(aProgress({ processedMs: 4_000 }));

    expect(channel.progressCount).toBe(2);
    expect(channel.version).toBe(2);
    expect(channel.view.progress.processedSeconds).toBe(4);
  });

  it('of an earlier attempt is ignored', () => {
    const channel = new JobChannel(stored({}, { attempt: 2 }));
    channel.receiveProgress(aProgress({ attempt: 2, processedMs: 3_000 }));

    channel.receiveProgress(aProgress({ attempt: 1, processedMs: 9_000 }));

    expect(channel.progressCount).toBe(1);
    expect(channel.view.progress.processedSeconds).toBe(3);
  });
});

describe('waiting for a change', () => {
  const NEVER = new AbortController().signal;
  const isSettled = async (promise: Promise<void>): Promise<boolean> => {
    const settled = promise.then(() => true);
    return Promise.race([settled, new Promise<false>((resolve) => setImmediate(() => resolve(false)))]);
  };

  it('ends at once when the version has passed already', async () => {
    const channel = aChannel();
    channel.receiveProgress(aProgress());

    expect(await isSettled(channel.changedSince(0, NEVER))).toBe(true);
  });

  it('ends with the next change, for every reader', async () => {
    const channel = aChannel();
    const readers = [channel.changedSince(0, NEVER), channel.changedSince(0, NEVER)];
    expect(await isSettled(readers[0] as Promise<void>)).toBe(false);

    channel.receiveProgress(aProgress());

    expect(await Promise.all(readers.map(isSettled))).toEqual([true, true]);
  });

  it('ends when its signal aborts, also when that is already so', async () => {
    const channel = aChannel();
    const stopping = new AbortController();
    const waiting = channel.changedSince(0, stopping.signal);

    stopping.abort();

    expect(await isSettled(waiting)).toBe(true);
    expect(await isSettled(channel.changedSince(0, stopping.signal))).toBe(true);
  });
});
