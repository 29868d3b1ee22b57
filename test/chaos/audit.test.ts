import { expect, test } from 'vitest';
import type { EventMessage } from '../../src/contract/messages.ts';
import {
  aCompletedEvent,
  aFailure,
  anEndingEvent,
  aSegmentsEvent,
  aStartedEvent,
  JOB_ID,
} from '../support/builders.ts';
import { scriptOf } from '../support/scripted-engine.mjs';
import { audit, type Evidence } from './audit.ts';
import type { PlannedJob } from './plan.ts';
import { percentile, recoveriesOf } from './recovery.ts';

/** Proves that the audit can fail: each breach is produced here once. */
const URL = 'https://script.test/seen/3/1000/10';
const SEGMENTS = (scriptOf(URL)?.segments ?? []).map((segment, index) => ({
  ...segment,
  index,
  words: null,
}));
const PLAN: PlannedJob = {
  number: 0,
  kind: 'plain',
  url: URL,
  priority: 'NORMAL',
  idempotencyKey: 'chaos-job-0',
  submitAtMs: 0,
  repeatAfterMs: null,
  scheduledAfterMs: null,
  cancelAfterMs: null,
  watch: 'segments',
  server: 0,
};
const CHAIN: readonly EventMessage[] = [
  aStartedEvent(),
  aSegmentsEvent(SEGMENTS),
  aCompletedEvent({ ordinal: 3, segmentCount: 3 }),
];
const stored = (events: readonly EventMessage[]) =>
  events.map((event, index) => ({ event, sequence: index + 1, at: event.at }));
const STATE = {
  id: JOB_ID,
  number: 0,
  status: 'COMPLETED',
  attempt: 1,
  lostRuns: 0,
  failure: null,
  deadLetteredAt: null,
  segmentCount: 3,
} as const;
const TEXTS = SEGMENTS.map(({ text }) => text);
const CLIENT = { jobId: JOB_ID, texts: TEXTS, status: 'COMPLETED', sessions: 2, faults: [] } as const;

const SOUND: Evidence = {
  submitted: [{ plan: PLAN, id: JOB_ID, cancel: null }],
  plannedCount: 1,
  states: [STATE],
  segments: new Map([[JOB_ID, SEGMENTS]]),
  chains: new Map([[JOB_ID, stored(CHAIN)]]),
  received: [{ ...CLIENT, texts: [...TEXTS], faults: [] }],
};
const checksOf = (change: Partial<Evidence>): readonly string[] => [
  ...new Set(audit({ ...SOUND, ...change }).map(({ check }) => check)),
];
const chain = (...events: EventMessage[]) => ({ chains: new Map([[JOB_ID, stored(events)]]) });
const state = (change: object) => ({ states: [{ ...STATE, ...change }] });
const client = (change: object) => ({
  received: [{ ...CLIENT, texts: [...TEXTS], faults: [], ...change }],
});

test('finds no breach in a run that kept every promise', () => {
  expect(audit(SOUND)).toEqual([]);
});

test.each<[string, Partial<Evidence>, string]>([
  ['a job that was not accepted', { plannedCount: 2 }, 'lost'],
  ['a job without a row', { states: [] }, 'lost'],
  ['a job that did not end', state({ status: 'PROCESSING' }), 'lost'],
  ['two completions', chain(...CHAIN, aCompletedEvent({ ordinal: 4 })), 'completed twice'],
  ['a cancel after a completion', chain(...CHAIN, anEndingEvent('canceled', { ordinal: 4 })), 'ended twice'],
  [
    'an event of an earlier run',
    chain(
      aStartedEvent(),
      aStartedEvent({ attempt: 2, runId: 'run-b' }),
      aSegmentsEvent(SEGMENTS),
      aCompletedEvent({ attempt: 2, runId: 'run-b', ordinal: 2 }),
    ),
    'events of stale attempts accepted',
  ],
  [
    'an attempt that starts twice',
    chain(aStartedEvent(), aStartedEvent({ runId: 'run-b' }), aSegmentsEvent(SEGMENTS, { runId: 'run-b' })),
    'events of stale attempts accepted',
  ],
  [
    'a failure that is not in the script',
    state({ status: 'FAILED', failure: aFailure() }),
    'outcomes that contradict the script',
  ],
  ['a cancel that was not requested', state({ status: 'CANCELED' }), 'outcomes that contradict the script'],
  [
    'a confirmed cancel without effect',
    { submitted: [{ plan: PLAN, id: JOB_ID, cancel: 'CANCELED' }] },
    'outcomes that contradict the script',
  ],
  [
    'a missing segment',
    { segments: new Map([[JOB_ID, SEGMENTS.slice(0, 2)]]) },
    'transcripts that differ from the script',
  ],
  [
    'a segment with another text',
    { segments: new Map([[JOB_ID, SEGMENTS.toReversed()]]) },
    'transcripts that differ from the script',
  ],
  ['a client with a gap', client({ faults: ['a gap'] }), 'cursor clients with a gap or a repeat'],
  ['a client that missed segments', client({ texts: [] }), 'cursor clients with a gap or a repeat'],
  [
    'a client that did not see the end',
    client({ status: 'PROCESSING' }),
    'cursor clients with a gap or a repeat',
  ],
])('finds %s', (_case, change, check) => {
  expect(checksOf(change)).toContain(check);
});

test('measures recovery from the kill to the next start of the job, for jobs of the killed worker only', () => {
  const events: readonly EventMessage[] = [
    aStartedEvent({ workerId: 'wrk_killed' }),
    aStartedEvent({ attempt: 2, runId: 'run-b', workerId: 'wrk_other' }),
    aCompletedEvent({ attempt: 2, runId: 'run-b' }),
  ];
  const times = [1000, 31_000, 40_000];
  const timed = events.map((event, index) => ({ event, sequence: index + 1, at: times[index] ?? 0 }));
  const kills = [
    { workerId: 'wrk_killed', at: 2000 },
    { workerId: 'wrk_idle', at: 2000 },
    { workerId: 'wrk_other', at: 50_000 },
  ];

  expect(recoveriesOf(kills, new Map([[JOB_ID, timed]]))).toEqual([
    { jobId: JOB_ID, killedAt: 2000, tookMs: 29_000 },
  ]);
  expect([percentile([3, 1, 2], 50), percentile([3, 1, 2], 99), percentile([], 50)]).toEqual([2, 3, null]);
});
