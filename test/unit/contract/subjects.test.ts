import { describe, expect, it } from 'vitest';
import {
  announcementSubject,
  controlSubject,
  eventSubject,
  jobIdOf,
  laneConsumer,
  laneSubject,
  lanesOf,
  liveControlSubject,
  liveEventSubject,
  liveProgressSubject,
  progressSubject,
  STREAMS,
  wakeSubject,
} from '../../../src/contract/subjects.ts';
import { ENGINES, JOB_PRIORITIES, queueOf } from '../../../src/domain/vocabulary.ts';
import { JOB_ID } from '../../support/builders.ts';

const LANES = ENGINES.flatMap((engine) =>
  JOB_PRIORITIES.map((priority) => ({ queue: queueOf(engine), priority })),
);
const OF_A_JOB = {
  eventSubject,
  progressSubject,
  controlSubject,
  liveEventSubject,
  liveProgressSubject,
  liveControlSubject,
};

/** Source: NATS documentation, "Subject-Based Messaging"; a token of the product has no dot. */
const LITERAL = /^[a-z0-9_]+(\.[a-z0-9_]+)*$/;

/** Whether one subject's messages may reach a subscriber of the other. */
function overlap(left: string, right: string): boolean {
  const [a, b] = [left.split('.'), right.split('.')];
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) {
    const [one, other] = [a[index], b[index]];
    if (one === '>' || other === '>') return one !== undefined && other !== undefined;
    if (one === undefined || other === undefined) return false;
    if (one !== other && one !== '*' && other !== '*') return false;
  }
  return true;
}

describe('subjects', () => {
  it('are literal and disjoint, each kind from each other and lane from lane', () => {
    const subjects = [
      ...LANES.map(({ queue, priority }) => laneSubject(queue, priority)),
      ...LANES.map(({ queue, priority }) => wakeSubject(queue, priority)),
      ...Object.values(OF_A_JOB).map((subject) => subject(JOB_ID)),
      ...ENGINES.map((engine) => announcementSubject(queueOf(engine))),
    ];

    for (const subject of subjects) expect(subject).toMatch(LITERAL);
    const pairs = subjects.flatMap((one, index) =>
      subjects.slice(index + 1).map((other) => [one, other] as const),
    );
    expect(pairs.filter(([one, other]) => overlap(one, other))).toEqual([]);
  });

  it('of the streams and of their live copies never overlap, or republishing would loop', () => {
    const families = [
      laneSubject('whisper', 'LOW'),
      ...Object.values(OF_A_JOB).map((subject) => subject('x')),
    ]
      .concat(wakeSubject('whisper', 'LOW'), announcementSubject('whisper'))
      .map((subject) =>
        subject
          .split('.')
          .slice(0, subject.includes('.live.') ? 3 : 2)
          .join('.'),
      )
      .map((family) => `${family}.>`);

    const pairs = families.flatMap((one, index) =>
      families.slice(index + 1).map((other) => [one, other] as const),
    );
    expect(pairs.filter(([one, other]) => overlap(one, other))).toEqual([]);
  });

  it.each(Object.entries(OF_A_JOB))('of a job lead back to it (%s)', (_name, subject) => {
    expect(jobIdOf(subject(JOB_ID))).toBe(JOB_ID);
  });

  it('wake the workers of one queue with a wildcard over its priorities', () => {
    for (const { queue, priority } of LANES) {
      expect(overlap(wakeSubject(queue), wakeSubject(queue, priority))).toBe(true);
    }
    expect(overlap(wakeSubject('whisper'), wakeSubject('deepgram', 'LOW'))).toBe(false);
  });
});

describe('lanes', () => {
  it('have a consumer each, whose name JetStream takes', () => {
    const names = LANES.map(({ queue, priority }) => laneConsumer(queue, priority));

    expect(new Set(names).size).toBe(LANES.length);
    for (const name of names) expect(name).toMatch(/^[a-z_]{1,32}$/);
  });

  it('are swept from the most urgent to the least', () => {
    expect(lanesOf('whisper')).toEqual([
      { priority: 'CRITICAL', consumer: 'lane_whisper_critical' },
      { priority: 'HIGH', consumer: 'lane_whisper_high' },
      { priority: 'NORMAL', consumer: 'lane_whisper_normal' },
      { priority: 'LOW', consumer: 'lane_whisper_low' },
    ]);
  });
});

describe('streams', () => {
  it('have different names', () => {
    expect(new Set(Object.values(STREAMS)).size).toBe(4);
  });
});
