import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { CodecError, decode, encode, MAX_MESSAGE_BYTES } from '../../../src/contract/codec.ts';
import {
  ControlMessage,
  ENDING_EVENTS,
  EventMessage,
  endsAttempt,
  ProgressMessage,
  TaskMessage,
  WorkerAnnouncement,
} from '../../../src/contract/messages.ts';
import {
  aCompletedEvent,
  aFailedEvent,
  aFailure,
  anAudioEvent,
  anEndingEvent,
  aSegment,
  aSegmentsEvent,
  aStartedEvent,
  aTask,
  JOB_ID,
  NOON,
  wordsOf,
} from '../../support/builders.ts';

const EVENTS: EventMessage[] = [
  aStartedEvent(),
  anAudioEvent(),
  anAudioEvent({ durationMs: null, codec: null, sampleRate: null, channels: null, sizeBytes: null }),
  aSegmentsEvent([aSegment({ words: wordsOf('Hello there.', 0, 2_000), speaker: '0' })]),
  aSegmentsEvent([]),
  aCompletedEvent({ languageConfidence: null }),
  aFailedEvent(aFailure({ retryAfterMs: 1_000, detail: 'HTTP 503' })),
  anEndingEvent('canceled'),
  anEndingEvent('released'),
  anEndingEvent('lost', { runId: 'server' }),
];

const TICK: ProgressMessage = {
  v: 2,
  jobId: JOB_ID,
  attempt: 1,
  runId: 'run-a',
  at: NOON.getTime(),
  stage: 'TRANSCRIBING',
  processedMs: 1_000,
  totalMs: null,
  realtimeFactor: 4.2,
  estimated: false,
  etaMs: null,
};

const ANNOUNCEMENT: WorkerAnnouncement = {
  v: 2,
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
  { name: 'task', schema: TaskMessage, message: aTask() },
  { name: 'progress progress', schema: ProgressMessage, message: TICK },
  {
    name: 'control message',
    schema: ControlMessage,
    message: { v: 2, jobId: JOB_ID, action: 'cancel', at: NOON.getTime(), reason: null },
  },
  { name: 'worker announcement', schema: WorkerAnnouncement, message: ANNOUNCEMENT },
  ...EVENTS.map((message) => ({ name: `${message.type} event`, schema: EventMessage, message })),
];

describe.each(MESSAGES)('a message of the protocol ($name)', ({ schema, message }) => {
  it('comes out as it went in', () => {
    expect(decode(schema, encode(message))).toEqual(message);
  });

  it('is read with a field that a later version added', () => {
    expect(decode(schema, encode({ ...message, addedLater: [1] }))).toEqual(message);
  });

  it('is refused in another version, which would mean something else', () => {
    expect(() => decode(schema, encode({ ...message, v: 3 }))).toThrow('message field v: ');
  });

  it.each(Object.keys(message).filter((field) => field !== 'type'))('is refused without %s', (field) => {
    expect(() => decode(schema, encode({ ...message, [field]: undefined }))).toThrow(CodecError);
    expect(() => decode(schema, encode({ ...message, [field]: undefined }))).toThrow(
      `message field ${field}: `,
    );
  });
});

describe('events', () => {
  it.each([
    { because: 'an unknown type', change: { type: 'paused' }, field: 'type' },
    { because: 'ordinal 0', change: { ordinal: 0 }, field: 'ordinal' },
    { because: 'no runId', change: { runId: '' }, field: 'runId' },
    { because: 'a negative time', change: { checkpointMs: -1 }, field: 'checkpointMs' },
    { because: 'half a segment', change: { segmentCount: 1.5 }, field: 'segmentCount' },
    { because: 'a broken time', change: { at: null }, field: 'at' },
  ])('are refused with $because', ({ change, field }) => {
    expect(() => decode(EventMessage, encode({ ...aStartedEvent(), ...change }))).toThrow(
      `message field ${field}: `,
    );
  });

  it('say where in a list of segments the fault is', () => {
    const event = aSegmentsEvent([aSegment(), aSegment({ index: 1, confidence: 2 })]);

    expect(() => decode(EventMessage, encode(event))).toThrow('message field segments.1.confidence: ');
  });

  it('end an attempt, all but those in the middle of it', () => {
    const types = [...new Set(EVENTS.map(({ type }) => type))];

    expect(types.filter((type) => !endsAttempt({ type }))).toEqual(['started', 'audio', 'segments']);
    expect(types.filter((type) => endsAttempt({ type }))).toEqual([...ENDING_EVENTS]);
  });
});

describe('a task', () => {
  it('with all the vocabulary a job may have is far below the 64 KiB of its stream', () => {
    const options = { ...aTask().options, vocabulary: Array.from({ length: 100 }, () => 'é'.repeat(100)) };

    expect(encode(aTask({ options })).byteLength).toBeLessThan(64 * 1024);
    expect(64 * 1024).toBeLessThan(MAX_MESSAGE_BYTES);
  });
});
