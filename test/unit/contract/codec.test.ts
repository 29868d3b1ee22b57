import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  CodecError,
  decode,
  decodeAbout,
  decodeOrNull,
  encode,
  eventId,
  MAX_MESSAGE_BYTES,
  storableText,
  taskId,
} from '../../../src/contract/codec.ts';

const Note = z.object({ text: z.string(), inner: z.object({ count: z.number().int() }).optional() });
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('encode', () => {
  const overhead = bytesOf(JSON.stringify({ text: '' })).byteLength;

  it('takes a message of exactly the limit', () => {
    const text = 'a'.repeat(MAX_MESSAGE_BYTES - overhead);

    expect(encode({ text }).byteLength).toBe(MAX_MESSAGE_BYTES);
  });

  it('refuses one byte more, and says both sizes', () => {
    const text = 'a'.repeat(MAX_MESSAGE_BYTES - overhead + 1);

    expect(() => encode({ text })).toThrow(CodecError);
    expect(() => encode({ text })).toThrow(
      `${MAX_MESSAGE_BYTES + 1} bytes is over the limit of ${MAX_MESSAGE_BYTES}`,
    );
  });

  it('counts bytes, not characters', () => {
    expect(() => encode({ text: 'é'.repeat(MAX_MESSAGE_BYTES / 2) })).toThrow(CodecError);
  });

  it('stays well below the 1 MiB that JetStream takes by default', () => {
    expect(MAX_MESSAGE_BYTES).toBeLessThanOrEqual(1024 * 1024 - 64 * 1024);
  });
});

describe('text that Postgres refuses', () => {
  const emoji = '👋';
  const half = emoji.slice(0, 1);

  it.each([
    { because: 'NUL', text: 'a\0b\0', stored: 'a\ufffdb\ufffd' },
    { because: 'the first half of an emoji', text: `${half} and ${half}`, stored: '\ufffd and \ufffd' },
    { because: 'the second half of an emoji', text: `${emoji.slice(1)}a`, stored: '\ufffda' },
    { because: 'halves in the wrong order', text: `${emoji.slice(1)}${half}`, stored: '\ufffd\ufffd' },
    { because: 'both', text: `\0${half}${emoji}`, stored: `\ufffd\ufffd${emoji}` },
  ])('is replaced: $because', ({ text, stored }) => {
    expect(storableText(text)).toBe(stored);
    expect(new TextDecoder().decode(encode({ text }))).toBe(JSON.stringify({ text: stored }));
    expect(decode(Note, bytesOf(JSON.stringify({ text })))).toEqual({ text: stored });
  });

  it('is replaced at any depth', () => {
    const Deep = z.object({ list: z.array(z.object({ text: z.string() })) });

    expect(decode(Deep, bytesOf('{"list":[{"text":"\\u0000"},{"text":"\\uD83D"}]}'))).toEqual({
      list: [{ text: '\ufffd' }, { text: '\ufffd' }],
    });
    expect(decode(Deep, encode({ list: [{ text: '\0' }] }))).toEqual({ list: [{ text: '\ufffd' }] });
  });

  it.each([emoji, 'plain', '\u001f\u0001', '\\u0000', '\ufffd', 'naïve 今日 👩‍👩‍👧‍👦'])(
    'is not %j',
    (text) => {
      expect(storableText(text)).toBe(text);
      expect(decode(Note, encode({ text }))).toEqual({ text });
    },
  );

  it('is replaced before the size is checked', () => {
    const text = '\0'.repeat(MAX_MESSAGE_BYTES / 4);

    expect(encode({ text }).byteLength).toBeLessThan(MAX_MESSAGE_BYTES);
  });
});

describe('a message about a job', () => {
  const About = z.object({ jobId: z.string(), count: z.number() });

  it('is read from a subject of that job', () => {
    expect(decodeAbout('job_1', About, bytesOf('{"jobId":"job_1","count":2}'))).toEqual({
      jobId: 'job_1',
      count: 2,
    });
  });

  it('is refused on a subject of another job', () => {
    const bytes = bytesOf('{"jobId":"job_2","count":2}');

    expect(() => decodeAbout('job_1', About, bytes)).toThrow(CodecError);
    expect(() => decodeAbout('job_1', About, bytes)).toThrow('jobId: job_2 on a subject of job_1');
    expect(decodeOrNull('job_1', About, bytes)).toBeNull();
    expect(decodeOrNull('job_2', About, bytes)).toEqual({ jobId: 'job_2', count: 2 });
  });

  it('is null where a reader may ignore a broken one, but other errors pass', () => {
    const broken = About.transform((): { jobId: string } => {
      throw new RangeError('not about the message');
    });

    expect(decodeOrNull('job_1', About, bytesOf('{'))).toBeNull();
    expect(() => decodeOrNull('job_1', broken, bytesOf('{"jobId":"job_1","count":2}'))).toThrow(RangeError);
  });
});

describe('decode', () => {
  it('gives back what was encoded', () => {
    const note = { text: 'naïve 今日 👩‍👩‍👧‍👦 \\u0000 \\ud83d', inner: { count: 3 } };

    expect(decode(Note, encode(note))).toEqual(note);
  });

  it('drops fields it does not know, so that fields can be added', () => {
    expect(decode(Note, bytesOf('{"text":"a","later":1}'))).toEqual({ text: 'a' });
  });

  it.each([
    { because: 'nothing', bytes: bytesOf('') },
    { because: 'not JSON', bytes: bytesOf('{"text":') },
    { because: 'two values', bytes: bytesOf('{"text":"a"}{"text":"b"}') },
    { because: 'not UTF-8', bytes: Uint8Array.from([...bytesOf('{"text":"'), 0xff, ...bytesOf('"}')]) },
    {
      because: 'an overlong encoding',
      bytes: Uint8Array.from([...bytesOf('{"text":"'), 0xc0, 0xaf, 0x22, 0x7d]),
    },
  ])('refuses $because', ({ bytes }) => {
    expect(() => decode(Note, bytes)).toThrow(new CodecError('message is not JSON in UTF-8'));
  });

  it.each([
    { field: 'text', json: '{}' },
    { field: 'inner.count', json: '{"text":"a","inner":{"count":1.5}}' },
    { field: '(root)', json: '[]' },
    { field: '(root)', json: 'null' },
  ])('names the field that is wrong: $field in $json', ({ field, json }) => {
    expect(() => decode(Note, bytesOf(json))).toThrow(CodecError);
    expect(() => decode(Note, bytesOf(json))).toThrow(`message field ${field}: `);
  });
});

describe('message ids', () => {
  const event = { jobId: 'job_1', runId: 'run-a', ordinal: 1 };
  const task = { jobId: 'job_1', attempt: 1, publication: 1 };

  it('differ between two runs of one attempt, so that neither takes the other for its own repeat', () => {
    expect(eventId({ ...event, runId: 'run-b' })).not.toBe(eventId(event));
  });

  it('differ between events of a run', () => {
    expect(eventId({ ...event, ordinal: 2 })).not.toBe(eventId(event));
  });

  it('differ between publications of a task', () => {
    const ids = [task, { ...task, publication: 2 }, { ...task, attempt: 2 }, { ...task, jobId: 'job_2' }].map(
      taskId,
    );

    expect(new Set(ids).size).toBe(4);
  });
});
