import { describe, expect, it } from 'vitest';
import { speakerLabel, textOf } from '../../../src/domain/transcript.ts';

describe('textOf', () => {
  it.each([
    { because: 'no segment', texts: [], text: '' },
    { because: 'one segment', texts: [' Hello. '], text: 'Hello.' },
    { because: 'segments joined by one space', texts: [' Hello.', ' There. '], text: 'Hello. There.' },
    { because: 'silence in between', texts: ['Hello.', '  ', '', 'There.'], text: 'Hello. There.' },
  ])('is the trimmed text of all segments: $because', ({ texts, text }) => {
    expect(textOf(texts.map((each) => ({ text: each })))).toBe(text);
  });
});

describe('speakerLabel', () => {
  it.each([
    { speaker: '0', label: 'Speaker 1' },
    { speaker: '11', label: 'Speaker 12' },
    { speaker: 'agent', label: 'Speaker agent' },
  ])('calls $speaker $label', ({ speaker, label }) => {
    expect(speakerLabel(speaker)).toBe(label);
  });
});
