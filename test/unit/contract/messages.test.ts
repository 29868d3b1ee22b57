import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { CodecError, decode, encode, MAX_MESSAGE_BYTES } from '../../../src/contract/codec.ts';
import {
  ControlMessage,
  ENDING_EVENTS,
  EventMessage,
  endsRun,
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

const PROGRESS: ProgressMessage = {
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
  { name: 'progress', schema: ProgressMessage, message: PROGRESS },
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
    { because: 'no type', change: { type: undefined }, field: 'type' },
    { because: 'a type that is no text', change: { type: 7 }, field: 'type' },
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

  it('of a type that this version does not know are opaque: their place in the run is read, and nothing else', () => {
    const { type: _, ...fields } = anEndingEvent('canceled');
    const event = decode(EventMessage, encode({ ...fields, type: 'paused', secret: 'x' }));

    expect(event).toEqual({ ...fields, type: 'opaque', unknownType: 'paused' });
    expect(endsRun(event)).toBe(false);
  });

  it('of an unknown type are refused when their place in the run is wrong', () => {
    const paused = { ...anEndingEvent('canceled'), type: 'paused', ordinal: 0 };

    expect(() => decode(EventMessage, encode(paused))).toThrow('message field ordinal: ');
  });

  it('with a failure of an unknown kind count as INTERNAL, and keep code, message and retryable', () => {
    const failure = { ...aFailure(), kind: 'QUOTA' };
    const event = decode(EventMessage, encode({ ...aFailedEvent(aFailure()), failure }));

    expect(event).toEqual(aFailedEvent({ ...aFailure(), kind: 'INTERNAL' }));
  });

  it.each([
    { field: 'checkpointMs', change: { checkpointMs: 2 ** 31 } },
    { field: 'attempt', change: { attempt: 2 ** 31 } },
    { field: 'ordinal', change: { ordinal: 2 ** 31 } },
    { field: 'at', change: { at: 8_640_000_000_000_001 } },
  ])('are refused with a number that no column holds ($field)', ({ change, field }) => {
    expect(() => decode(EventMessage, encode({ ...aStartedEvent(), ...change }))).toThrow(
      `message field ${field}: `,
    );
  });

  it('say where in a list of segments the fault is', () => {
    const event = aSegmentsEvent([aSegment(), aSegment({ index: 1, confidence: 2 })]);

    expect(() => decode(EventMessage, encode(event))).toThrow('message field segments.1.confidence: ');
  });

  it('end their run, except for those in the middle of it', () => {
    const types = [...new Set(EVENTS.map(({ type }) => type))];

    expect(types.filter((type) => !endsRun({ type }))).toEqual(['started', 'audio', 'segments']);
    expect(types.filter((type) => endsRun({ type }))).toEqual([...ENDING_EVENTS]);
  });
});

describe('progress', () => {
  it('of a stage that this version does not know counts as TRANSCRIBING', () => {
    expect(decode(ProgressMessage, encode({ ...PROGRESS, stage: 'SPLITTING' }))).toEqual(PROGRESS);
  });
});

describe('a task', () => {
  it('with all the vocabulary a job may have is far below the 64 KiB of its stream', () => {
    const options = { ...aTask().options, vocabulary: Array.from({ length: 100 }, () => 'é'.repeat(100)) };

    expect(encode(aTask({ options })).byteLength).toBeLessThan(64 * 1024);
    expect(64 * 1024).toBeLessThan(MAX_MESSAGE_BYTES);
  });
});
