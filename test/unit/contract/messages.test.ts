import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { CodecError, decode, encode, MAX_MESSAGE_BYTES } from '../../../src/contract/codec.ts';
import {
  ControlMessage,
  ENDING_FACTS,
  endsAttempt,
  FactMessage,
  Order,
  ProgressTick,
  WorkerAnnouncement,
} from '../../../src/contract/messages.ts';
import {
  aCompletedFact,
  aFailedFact,
  aFailure,
  anAudioFact,
  anEndingFact,
  anOrder,
  aSegment,
  aSegmentsFact,
  aStartedFact,
  JOB_ID,
  NOON,
  wordsOf,
} from '../../support/builders.ts';

const FACTS: FactMessage[] = [
  aStartedFact(),
  anAudioFact(),
  anAudioFact({ durationMs: null, codec: null, sampleRate: null, channels: null, sizeBytes: null }),
  aSegmentsFact([aSegment({ words: wordsOf('Hello there.', 0, 2_000), speaker: '0' })]),
  aSegmentsFact([]),
  aCompletedFact({ languageConfidence: null }),
  aFailedFact(aFailure({ retryAfterMs: 1_000, detail: 'HTTP 503' })),
  anEndingFact('canceled'),
  anEndingFact('released'),
  anEndingFact('lost', { instance: 'server' }),
];

const TICK: ProgressTick = {
  v: 1,
  jobId: JOB_ID,
  attempt: 1,
  instance: 'run-a',
  at: NOON.getTime(),
  stage: 'TRANSCRIBING',
  processedMs: 1_000,
  totalMs: null,
  realtimeFactor: 4.2,
  estimated: false,
  etaMs: null,
};

const ANNOUNCEMENT: WorkerAnnouncement = {
  v: 1,
  workerId: 'wrk_1',
  hostname: 'mini',
  version: '0.1.0',
  engine: 'WHISPER',
  device: 'cpu',
  status: 'IDLE',
  slots: 1,
  busy: 0,
  models: [{ name: 'base', languages: [], isDefault: true }],
  startedAt: NOON.getTime(),
  processed: 0,
  failed: 0,
  realtimeFactor: null,
  engineAvailable: true,
  memoryBytes: 100_000_000,
  jobs: [],
};

const MESSAGES: { readonly name: string; readonly schema: z.ZodType; readonly message: object }[] = [
  { name: 'order', schema: Order, message: anOrder() },
  { name: 'progress tick', schema: ProgressTick, message: TICK },
  {
    name: 'control message',
    schema: ControlMessage,
    message: { v: 1, jobId: JOB_ID, action: 'cancel', at: NOON.getTime(), reason: null },
  },
  { name: 'worker announcement', schema: WorkerAnnouncement, message: ANNOUNCEMENT },
  ...FACTS.map((message) => ({ name: `${message.type} fact`, schema: FactMessage, message })),
];

describe.each(MESSAGES)('a message of the protocol ($name)', ({ schema, message }) => {
  it('comes out as it went in', () => {
    expect(decode(schema, encode(message))).toEqual(message);
  });

  it('is read with a field that a later version added', () => {
    expect(decode(schema, encode({ ...message, addedLater: [1] }))).toEqual(message);
  });

  it('is refused in another version, which would mean something else', () => {
    expect(() => decode(schema, encode({ ...message, v: 2 }))).toThrow('message field v: ');
  });

  it.each(Object.keys(message).filter((field) => field !== 'type'))('is refused without %s', (field) => {
    expect(() => decode(schema, encode({ ...message, [field]: undefined }))).toThrow(CodecError);
    expect(() => decode(schema, encode({ ...message, [field]: undefined }))).toThrow(
      `message field ${field}: `,
    );
  });
});

describe('facts', () => {
  it.each([
    { because: 'an unknown type', change: { type: 'paused' }, field: 'type' },
    { because: 'ordinal 0', change: { ordinal: 0 }, field: 'ordinal' },
    { because: 'no instance', change: { instance: '' }, field: 'instance' },
    { because: 'a negative time', change: { checkpointMs: -1 }, field: 'checkpointMs' },
    { because: 'half a segment', change: { segmentCount: 1.5 }, field: 'segmentCount' },
    { because: 'a broken time', change: { at: null }, field: 'at' },
  ])('are refused with $because', ({ change, field }) => {
    expect(() => decode(FactMessage, encode({ ...aStartedFact(), ...change }))).toThrow(
      `message field ${field}: `,
    );
  });

  it('say where in a list of segments the fault is', () => {
    const fact = aSegmentsFact([aSegment(), aSegment({ index: 1, confidence: 2 })]);

    expect(() => decode(FactMessage, encode(fact))).toThrow('message field segments.1.confidence: ');
  });

  it('end an attempt, all but those in the middle of it', () => {
    const types = [...new Set(FACTS.map(({ type }) => type))];

    expect(types.filter((type) => !endsAttempt({ type }))).toEqual(['started', 'audio', 'segments']);
    expect(types.filter((type) => endsAttempt({ type }))).toEqual([...ENDING_FACTS]);
  });
});

describe('an order', () => {
  it('with all the vocabulary a job may have is far below the 64 KiB of its stream', () => {
    const options = { ...anOrder().options, vocabulary: Array.from({ length: 100 }, () => 'é'.repeat(100)) };

    expect(encode(anOrder({ options })).byteLength).toBeLessThan(64 * 1024);
    expect(64 * 1024).toBeLessThan(MAX_MESSAGE_BYTES);
  });
});
