import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Transport } from '../support/graphql-client.ts';
import type { SeenEvent, SeenSegment, SeenSegmentsEvent } from '../support/job-calls.ts';
import { type Service, startService } from '../support/service.ts';
import { sample, wordsOf } from '../support/whisper-piece.ts';

const shift = sample('shift');
let service: Service;
let expected: string[];

/** What several subscribers saw of one job, which runs long enough for all of them. */
let first: readonly SeenEvent[];
let second: readonly SeenEvent[];
let overSse: readonly SeenEvent[];
let late: readonly SeenEvent[];
let returned: Record<
  Transport,
  { readonly before: readonly SeenEvent[]; readonly after: readonly SeenEvent[] }
>;
let gapless: readonly SeenSegmentsEvent[];
let gaplessResumed: readonly SeenSegmentsEvent[];

beforeAll(async () => {
  expected = wordsOf(await readFile(shift.text, 'utf8'));
  service = await startService();
  const { jobs } = service;
  const uploadId = await jobs.upload(await readFile(shift.wav), 'shift.wav', 'audio/wav');
  const id = await jobs.accepted({ audio: { uploadId } });
  [first, second, overSse, late, returned, gapless, gaplessResumed] = await Promise.all([
    collect(jobs.watch(id)),
    collect(jobs.watch(id)),
    collect(jobs.watch(id, { transport: 'sse' })),
    firstSegments(id).then(() => collect(jobs.watch(id))),
    Promise.all([leaveAndReturn(id, 'websocket'), leaveAndReturn(id, 'sse')]).then(([websocket, sse]) => ({
      websocket,
      sse,
    })),
    collect(jobs.segments(id)),
    resumeSegments(id),
  ]);
}, 300_000);
afterAll(() => service?.stop());

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

async function firstSegments(id: string): Promise<void> {
  for await (const event of service.jobs.watch(id)) if (event.newSegments.length > 0) return;
}

/** Unsubscribes after the first segments and subscribes again with the last cursor. */
async function leaveAndReturn(id: string, transport: Transport) {
  const before: SeenEvent[] = [];
  for await (const event of service.jobs.watch(id, { transport })) {
    before.push(event);
    if (event.newSegments.length > 0) break;
  }
  const cursor = before.at(-1)?.cursor ?? '';
  return { before, after: await collect(service.jobs.watch(id, { after: cursor, transport })) };
}

/** Subscribes again after every event, over server-sent events. */
async function resumeSegments(id: string): Promise<SeenSegmentsEvent[]> {
  const events: SeenSegmentsEvent[] = [];
  for (;;) {
    const last = events.at(-1);
    if (last !== undefined && last.jobStatus !== 'QUEUED' && last.jobStatus !== 'PROCESSING') return events;
    const after = last === undefined ? {} : { after: last.cursor };
    for await (const event of service.jobs.segments(id, { ...after, transport: 'sse' })) {
      events.push(event);
      break;
    }
  }
}

const segmentsOf = (events: readonly { newSegments: readonly SeenSegment[] }[]): readonly SeenSegment[] =>
  events.flatMap((event) => event.newSegments);
const textOf = (segments: readonly SeenSegment[]): string[] =>
  segments.flatMap((segment) => wordsOf(segment.text));
const withSegments = (events: readonly SeenEvent[]): readonly SeenEvent[] =>
  events.filter((event) => event.newSegments.length > 0);

describe('watching a job', () => {
  it('starts with the current state and ends at completion with every word', () => {
    expect(first[0]).toMatchObject({ type: 'SNAPSHOT' });
    expect(first.at(-1)).toMatchObject({ type: 'STATUS', job: { status: 'COMPLETED' } });
    expect(textOf(segmentsOf(first))).toEqual(expected);
  });

  it('shows segments while the job runs', () => {
    const live = withSegments(first).filter((event) => event.job.status === 'PROCESSING');

    expect(live.length).toBeGreaterThanOrEqual(2);
    expect(live[0]?.job.progress.fraction).toBeLessThan(1);
  });

  it('shows progress that never falls and reaches 1 only at the end', () => {
    const fractions = first.map((event) => event.job.progress.fraction);
    const revisions = first.map((event) => event.job.revision);

    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
    expect(fractions.at(-1)).toBe(1);
    for (const { job } of first) expect(job.progress.fraction === 1).toBe(job.status === 'COMPLETED');
  });

  it('shows every subscriber the same, over either transport', () => {
    expect(segmentsOf(second)).toEqual(segmentsOf(first));
    expect(segmentsOf(overSse)).toEqual(segmentsOf(first));
    expect([second, overSse].map((events) => events.at(-1)?.job)).toEqual([
      first.at(-1)?.job,
      first.at(-1)?.job,
    ]);
  });

  it('gives a late subscriber everything so far at once, then the rest', () => {
    expect(late[0]).toMatchObject({ type: 'SNAPSHOT', job: { status: 'PROCESSING' } });
    expect(late[0]?.newSegments[0]?.index).toBe(0);
    expect(segmentsOf(late)).toEqual(segmentsOf(first));
  });

  it.each<Transport>(['websocket', 'sse'])(
    'resumes over %s with what was missed and no repeat',
    (transport) => {
      const { before, after } = returned[transport];

      expect(segmentsOf(before).length).toBeGreaterThan(0);
      expect(segmentsOf(after).length).toBeGreaterThan(0);
      expect([...segmentsOf(before), ...segmentsOf(after)]).toEqual(segmentsOf(first));
      expect(after.at(-1)?.job.status).toBe('COMPLETED');
    },
  );
});

describe('watching the segments of a job', () => {
  it('gives each segment once, in ranges without a gap', () => {
    expect(gapless.flatMap((event) => event.segments)).toEqual(segmentsOf(first));
    expectNoGap(gapless);
    expect(gapless.at(-1)?.jobStatus).toBe('COMPLETED');
  });

  it('resumes at the cursor after any number of disconnects', () => {
    expect(gaplessResumed.flatMap((event) => event.segments)).toEqual(segmentsOf(first));
    expectNoGap(gaplessResumed);
  });
});

function expectNoGap(events: readonly SeenSegmentsEvent[]): void {
  const starts = events.map((event) => event.from);
  const expectedStarts = [0, ...events.slice(0, -1).map((event) => event.to + 1)];
  expect(starts).toEqual(expectedStarts);
  for (const { from, to, segments } of events) expect(segments.length).toBe(to - from + 1);
}
