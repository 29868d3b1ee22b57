import { expect, test } from 'vitest';
import { createLogger } from '../../src/observability/logger.ts';
import { aSource, recordReport } from '../support/engine-probe.ts';
import { createEngine, scriptOf } from '../support/scripted-engine.mjs';
import { describeEngine } from './engine-suite.ts';

const log = createLogger('test', 'silent');
const aScript = (path: string, others: Parameters<typeof aSource>[0] = {}) =>
  aSource({ kind: 'url', url: `https://script.test/${path}`, ...others });

describeEngine('scripted', async () => ({
  engine: await createEngine({ env: {}, log }),
  speech: ({ timestamps, resumeMs }) => aScript('seed/10/2000/1', { resumeMs, options: { timestamps } }),
  speechDurationMs: 20_000,
  long: (report) => ({ input: aScript('seed/10/2000/1?hang=1&after=2', { attempt: 1 }), busy: report.first }),
  failing: [
    { name: 'no script', kind: 'AUDIO', input: () => aScript('nothing') },
    {
      name: 'as scripted',
      kind: 'RATE_LIMITED',
      input: () => aScript('seed/3/100/0?fail=RATE_LIMITED&after=1'),
    },
  ],
  dispose: async () => {},
}));

test('a script fails on the attempts it names, where it says, and then goes on from there', async () => {
  const engine = await createEngine({ env: { SCRIPTED_LANE: 'DEEPGRAM' }, log });
  const path = 'seed/5/100/0?fail=INTERNAL@1.2&after=3';
  const script = scriptOf(`https://elsewhere.test/any/${path}`);
  const never = new AbortController().signal;
  const first = recordReport();
  const third = recordReport();

  await expect(engine.transcribe(aScript(path, { attempt: 1 }), first, never)).rejects.toThrow('attempt 1');
  const resumeMs = first.allSegments.at(-1)?.endMs ?? 0;
  await engine.transcribe(aScript(path, { attempt: 3, resumeMs }), third, never);

  expect(engine.engine).toBe('DEEPGRAM');
  expect(first.allSegments.length).toBe(3);
  const texts = [...first.allSegments, ...third.allSegments].map((segment) => segment.text);
  expect(texts).toEqual(script?.segments.map((segment) => segment.text));
  expect(new Set(texts).size).toBe(5);
});
