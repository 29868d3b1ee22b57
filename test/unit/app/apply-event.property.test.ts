import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyEvent } from '../../../src/app/apply-event.ts';
import type { EventMessage } from '../../../src/contract/messages.ts';
import type { Job } from '../../../src/domain/job.ts';
import type { JobUpdate } from '../../../src/domain/job-update.ts';
import { isFinal, JOB_STATUSES } from '../../../src/domain/vocabulary.ts';
import { aFailure, aQueuedJob, aScheduledJob, later, NOON, POLICY } from '../../support/builders.ts';
import { Fleet, SCRIPT } from '../../support/fleet.ts';

const RUNS = { numRuns: 150 };

type Happening = (fleet: Fleet) => void;
/** A happening, with a name for counterexamples. */
interface Step {
  readonly happen: Happening;
  toString(): string;
}

const step = (name: string, happen: Happening): Step => ({ happen, toString: () => name });
const FAILURES = [
  aFailure(),
  aFailure({ kind: 'AUDIO', retryable: false }),
  aFailure({ kind: 'ENGINE_UNAVAILABLE' }),
];

const ORDINARY: readonly fc.WeightedArbitrary<Step>[] = [
  { weight: 6, arbitrary: fc.constant(step('admit', (fleet) => fleet.admit())) },
  {
    weight: 6,
    arbitrary: fc.nat({ max: 3 }).map((pick) => step(`deliver ${pick}`, (fleet) => fleet.deliver(pick))),
  },
  {
    weight: 8,
    arbitrary: fc
      .nat({ max: 4 })
      .map((count) => step(`transcribe ${count}`, (fleet) => fleet.transcribe(count))),
  },
  {
    weight: 10,
    arbitrary: fc.constant(
      step('project', (fleet) => {
        // Read in order, a chain has no gap, and no event of a foreign run.
        expect([null, 'JOB_FINAL', 'STALE']).toContain(fleet.project());
      }),
    ),
  },
  { weight: 3, arbitrary: fc.constant(step('project all', drain)) },
  { weight: 1, arbitrary: fc.constant(step('measure audio', (fleet) => fleet.measureAudio())) },
  { weight: 2, arbitrary: fc.constant(step('complete', (fleet) => fleet.complete())) },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom(...FAILURES)
      .map((failure) => step(`fail ${failure.kind}`, (fleet) => fleet.fail(failure))),
  },
  { weight: 2, arbitrary: fc.constant(step('release', (fleet) => fleet.release())) },
  { weight: 3, arbitrary: fc.constant(step('vanish', (fleet) => fleet.vanish())) },
  { weight: 2, arbitrary: fc.constant(step('lose', (fleet) => fleet.lose())) },
  { weight: 1, arbitrary: fc.constant(step('cancel', (fleet) => fleet.cancel())) },
  { weight: 1, arbitrary: fc.constant(step('expire', (fleet) => fleet.expire())) },
  { weight: 1, arbitrary: fc.constant(step('receive cancel', (fleet) => fleet.receiveCancel())) },
  {
    weight: 2,
    arbitrary: fc
      .boolean()
      .map((over) => step(over ? 'retry from 0' : 'retry', (fleet) => fleet.retry(over))),
  },
];

const newJob: fc.Arbitrary<Job> = fc
  .record({
    base: fc.constantFrom<Job>(aQueuedJob({ admission: null }), aScheduledJob()),
    engines: fc.constantFrom<Job['engines']>(['WHISPER'], ['WHISPER', 'DEEPGRAM']),
    maxAttempts: fc.integer({ min: 1, max: 4 }),
    deadline: fc.constantFrom(null, later(30_000)),
  })
  .map(({ base, ...rest }) => ({ ...base, ...rest }));

function drain(fleet: Fleet): void {
  while (fleet.read < fleet.chain.length) fleet.project();
}

/** Runs random histories of a job, and checks the invariants after each step. */
function holdsFor(noise: readonly fc.WeightedArbitrary<Step>[], atTheEnd: Happening = () => {}): void {
  const steps = fc.array(fc.oneof(...ORDINARY, ...noise), { maxLength: 60, size: 'max' });
  fc.assert(
    fc.property(newJob, steps, (job, happenings) => {
      const fleet = new Fleet(job, (before, event, update) => expectLawful(fleet, before, event, update));
      for (const { happen } of happenings) {
        happen(fleet);
        expectConsistent(fleet);
      }
      drain(fleet);
      expectConsistent(fleet);
      atTheEnd(fleet);
    }),
    RUNS,
  );
}

/** Invariants of every accepted event. */
function expectLawful(fleet: Fleet, before: Job, event: EventMessage, update: JobUpdate): void {
  const { job } = update;
  expect(isFinal(before.status), 'a final job was changed').toBe(false);
  const forward =
    job.attempt > before.attempt || (job.attempt === before.attempt && job.lastOrdinal > before.lastOrdinal);
  expect(forward, `(${before.attempt}, ${before.lastOrdinal}) → (${job.attempt}, ${job.lastOrdinal})`).toBe(
    true,
  );
  if (update.attemptStarted !== undefined) {
    expect(update.attemptStarted.number).toBe(Math.max(...fleet.attempts.keys()));
    expect(update.attemptStarted.number).toBeGreaterThan(before.attempt);
  }
  expect(
    applyEvent(job, event, new Date(event.at), { now: fleet.now, random: 0.5, policy: POLICY }),
    'an event was accepted twice',
  ).toMatchObject({
    ok: false,
  });
  if ('finishedAt' in job) {
    expect(job.finishedAt).toEqual(fleet.now);
    expect(job.expiresAt).toEqual(later(POLICY.retentionMs, fleet.now));
  }
  if ('nextAttemptAt' in job) expect(job.nextAttemptAt.getTime()).toBeGreaterThanOrEqual(fleet.now.getTime());
}

const OWN_FIELDS: Readonly<Record<Job['status'], readonly string[]>> = {
  SCHEDULED: ['scheduledFor'],
  QUEUED: ['admission'],
  PROCESSING: ['admission'],
  RETRYING: ['nextAttemptAt', 'failure', 'failureAt'],
  COMPLETED: ['finishedAt', 'expiresAt'],
  FAILED: ['finishedAt', 'expiresAt', 'failure', 'failureAt', 'deadLetteredAt'],
  CANCELED: ['finishedAt', 'expiresAt'],
};
const ALL_OWN_FIELDS = new Set(Object.values(OWN_FIELDS).flat());

/** Invariants of the rows at any time. */
function expectConsistent({ job, transcript, attempts }: Fleet): void {
  expect(JOB_STATUSES).toContain(job.status);
  const own = Object.keys(job).filter((field) => ALL_OWN_FIELDS.has(field));
  expect(own.sort()).toEqual(OWN_FIELDS[job.status].toSorted());

  const open = [...attempts].filter(([, outcome]) => outcome === null).map(([number]) => number);
  expect(open, `open attempts of a job that is ${job.status}`).toEqual(
    job.status === 'PROCESSING' ? [job.attempt] : [],
  );
  if (job.status === 'PROCESSING') {
    expect(job.runId).not.toBeNull();
    expect(job.admission.admittedAt).toBeInstanceOf(Date);
  }
  if (job.status === 'QUEUED') expect(job.queuedAt).not.toBeNull();
  expect(job.startedAt === null, 'started without an attempt').toBe(attempts.size === 0);

  expect(transcript).toEqual(SCRIPT.slice(0, transcript.length));
  expect(job.checkpoint.segmentCount).toBe(transcript.length);
  expect(job.checkpoint.checkpointMs).toBe(transcript.at(-1)?.endMs ?? 0);
  if (job.status === 'COMPLETED') expect(transcript.length).toBe(SCRIPT.length);

  const outcomes = [...attempts.values()];
  expect(outcomes.filter((outcome) => outcome === 'COMPLETED').length).toBe(
    job.status === 'COMPLETED' ? 1 : 0,
  );
  expect(outcomes.filter((outcome) => outcome === 'CANCELED').length).toBeLessThanOrEqual(
    job.status === 'CANCELED' ? 1 : 0,
  );
}

describe('a job whose events come in order', () => {
  it('has consistent rows whatever workers, server and user do', () => {
    holdsFor([]);
  });

  it('is final once the server has ended it on its chain', () => {
    holdsFor([], ({ chain, job, retriedAt }) => {
      const tail = chain.at(-1);
      if (tail === undefined || tail.type === 'lost' || !tail.runId.startsWith('server')) return;
      if (chain.length > retriedAt) expect(isFinal(job.status), `${tail.type}, but ${job.status}`).toBe(true);
    });
  });

  it('ends as its chain ends, so that cancel and completion have one winner', () => {
    holdsFor([], ({ chain, job }) => {
      const ends = chain.filter(({ type }) => type === 'completed' || type === 'canceled');
      expect(ends.length).toBeLessThanOrEqual(1);
      if (ends[0] === undefined) return;
      expect(chain.at(-1)).toBe(ends[0]);
      expect(job.status).toBe(ends[0].type === 'completed' ? 'COMPLETED' : 'CANCELED');
    });
  });
});

describe('a job with events that must not count', () => {
  const refused = (fleet: Fleet, event: EventMessage | undefined) => {
    if (event === undefined) return;
    const before = fleet.job;
    expect(
      fleet.apply(event),
      `${event.type} ${event.attempt}.${event.ordinal} of ${event.runId}`,
    ).not.toBeNull();
    expect(fleet.job).toBe(before);
  };
  const anyEvent = (happen: (fleet: Fleet, pick: number) => void, name: string) => [
    {
      weight: 12,
      arbitrary: fc.nat({ max: 60 }).map((pick) => step(`${name} ${pick}`, (fleet) => happen(fleet, pick))),
    },
  ];

  it('refuses events that it has read before', () => {
    holdsFor(
      anyEvent((fleet, pick) => {
        if (fleet.read > 0) refused(fleet, fleet.chain[pick % fleet.read]);
      }, 'repeat'),
    );
  });

  it('refuses events that come before others that they need', () => {
    holdsFor(
      anyEvent((fleet, pick) => {
        const ahead = fleet.chain.slice(fleet.read + 1);
        const event = ahead[pick % Math.max(1, ahead.length)];
        if (event === undefined) return;
        // A later attempt may start, or be canceled before its start, when no segment is missing in between.
        const { attempt, lastOrdinal, checkpoint } = fleet.job;
        const whole =
          event.generation !== checkpoint.generation || event.segmentCount <= checkpoint.segmentCount;
        const begins = event.ordinal === 1 && event.attempt > attempt && whole;
        const follows = event.ordinal === lastOrdinal + 1 && event.attempt === attempt;
        if (begins || follows) fleet.apply(event);
        else refused(fleet, event);
      }, 'read ahead'),
    );
  });

  it('refuses events of a former attempt', () => {
    holdsFor(
      anyEvent((fleet, pick) => {
        const event = fleet.chain[pick % Math.max(1, fleet.chain.length)];
        const { attempt, lastOrdinal } = fleet.job;
        if (event === undefined || attempt === 0) return;
        refused(fleet, { ...event, attempt: attempt - 1, ordinal: lastOrdinal + 1 });
      }, 'stale'),
    );
  });

  it('refuses events of another run of the current attempt', () => {
    holdsFor(
      anyEvent((fleet, pick) => {
        // The server alone publishes `lost`, always with a run id of its own.
        const events = fleet.chain.filter(({ type }) => type !== 'lost');
        const event = events[pick % Math.max(1, events.length)];
        const { status, attempt, lastOrdinal } = fleet.job;
        if (event === undefined || status !== 'PROCESSING') return;
        refused(fleet, { ...event, attempt, runId: 'run-of-a-zombie', ordinal: lastOrdinal + 1 });
      }, 'foreign'),
    );
  });
});

describe('the model itself', () => {
  it('reaches every status', () => {
    const reached = new Set<Job['status']>();
    const steps = fc.array(fc.oneof(...ORDINARY), { maxLength: 60, size: 'max' });
    fc.assert(
      fc.property(newJob, steps, (job, happenings) => {
        const fleet = new Fleet(job, () => {});
        for (const { happen } of happenings) {
          happen(fleet);
          reached.add(fleet.job.status);
        }
      }),
      { ...RUNS, seed: NOON.getTime() & 0x7fffffff },
    );

    expect([...reached].sort()).toEqual([...JOB_STATUSES].sort());
  });
});
