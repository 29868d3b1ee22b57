import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES, type FailureKind, type TimestampGranularity } from '../../src/domain/vocabulary.ts';
import {
  type AudioSource,
  EngineError,
  type EngineSegment,
  type TranscriptionEngine,
  type WavPiece,
} from '../../worker/engines/engine.ts';
import { type RecordedReport, recordReport } from '../support/engine-probe.ts';

type EngineInput = AudioSource | WavPiece;

export interface EngineUnderTest {
  readonly engine: TranscriptionEngine;
  /** A recording with speech. `resumeMs` is only asked of engines of input `source`. */
  speech(wanted: { readonly timestamps: TimestampGranularity; readonly resumeMs: number }): EngineInput;
  readonly speechDurationMs: number;
  /** False for an engine that knows no times of words; true by default. */
  readonly knowsWords?: boolean;
  /** A recording that it surely still works on when `busy` resolves. */
  long(report: RecordedReport): { readonly input: EngineInput; readonly busy: Promise<void> };
  /** Recordings, or states of the world, it must fail for. */
  readonly failing: readonly {
    readonly name: string;
    readonly kind: FailureKind;
    input(): EngineInput | Promise<EngineInput>;
  }[];
  /** Besides the engine's own `close`, which the suite calls first. */
  dispose(): Promise<void>;
}

/** A second, and room for a machine that is busy with other tests. */
const ABORT_DEADLINE_MS = 3000;
const never = new AbortController().signal;

/** Every obligation of worker/engines/engine.ts, on one engine. */
export function describeEngine(name: string, setUp: () => Promise<EngineUnderTest>): void {
  describe(`engine ${name}`, () => {
    let tested: EngineUnderTest;
    beforeAll(async () => {
      tested = await setUp();
    });
    afterAll(async () => {
      await tested.engine.close();
      await tested.dispose();
    });
    const speech = (timestamps: TimestampGranularity = 'SEGMENT', resumeMs = 0) =>
      tested.speech({ timestamps, resumeMs });

    test('says what it is, and has exactly one default model', async () => {
      const models = await tested.engine.models();

      expect(ENGINES).toContain(tested.engine.engine);
      expect(tested.engine.device).toMatch(/^[a-z0-9-]+$/);
      expect(tested.engine.available).toBe(true);
      expect(models.filter((model) => model.isDefault).length).toBe(1);
      expect(new Set(models.map((model) => model.name)).size).toBe(models.length);
    });

    test('reports segments in order, without overlap, within the recording', async () => {
      const report = recordReport();

      const result = await run(tested.engine, speech(), report);

      expect(report.allSegments.length).toBeGreaterThan(0);
      expectGoodTimes(report.allSegments, tested.speechDurationMs);
      expect(report.allSegments.every((segment) => segment.words === null)).toBe(true);
      expect(result.model).not.toBe('');
      expect(result.language === null || /^[a-z]{2,3}(-[A-Za-z0-9]+)*$/.test(result.language)).toBe(true);
    });

    test('never lets progress fall or pass the end', async () => {
      const report = recordReport();

      await run(tested.engine, speech(), report);

      expect(report.progressMs).toEqual([...report.progressMs].sort((a, b) => a - b));
      expect(report.progressMs.at(-1) ?? 0).toBeLessThanOrEqual(tested.speechDurationMs);
    });

    test('gives every word its time and confidence when asked', async () => {
      const report = recordReport();

      await run(tested.engine, speech('WORD'), report);

      expect(report.allSegments.length).toBeGreaterThan(0);
      for (const segment of report.allSegments) {
        if (tested.knowsWords === false) expect(segment.words).toBeNull();
        else expectGoodWords(segment);
      }
    });

    test('continues where an earlier attempt ended', async () => {
      if (tested.engine.input !== 'source') return;
      const whole = recordReport();
      const rest = recordReport();
      await run(tested.engine, speech(), whole);
      const done = Math.ceil(whole.allSegments.length / 2);
      const resumeMs = whole.allSegments[done - 1]?.endMs ?? 0;

      await run(tested.engine, speech('SEGMENT', resumeMs), rest);

      expect(rest.allSegments).toEqual(whole.allSegments.slice(done));
    });

    test('ends within a second of an abort, with its reason, and reports nothing more', async () => {
      const report = recordReport();
      const { input, busy } = tested.long(report);
      const abort = new AbortController();
      const call = run(tested.engine, input, report, abort.signal);
      await Promise.race([busy, call]);

      const reason = new Error('let go');
      abort.abort(reason);
      const reported = report.calls.length;
      const outcome = await Promise.race([settled(call), deadline()]);

      expect(outcome).toBe(reason);
      await run(tested.engine, speech(), recordReport());
      expect(report.calls.length).toBe(reported);
    });

    test('does not start when it is told to stop beforehand', async () => {
      const report = recordReport();
      const reason = new Error('too late');

      const outcome = await settled(run(tested.engine, speech(), report, AbortSignal.abort(reason)));

      expect(outcome).toBe(reason);
      expect(report.calls).toEqual([]);
    });

    test('fails with a kind, a stable code and a message', async () => {
      for (const { name: failing, kind, input } of tested.failing) {
        const outcome = await settled(run(tested.engine, await input(), recordReport()));

        expect(outcome, failing).toBeInstanceOf(EngineError);
        const { failure } = outcome as EngineError;
        expect(failure, failing).toMatchObject({ kind, retryable: expect.any(Boolean) });
        expect(failure.code, failing).toMatch(/^[A-Z][A-Z0-9_]{2,63}$/);
        expect(failure.message, failing).toMatch(/^[A-Z].{10,}\.$/s);
        expect(`${failure.message} ${failure.detail ?? ''}`, failing).not.toMatch(/\/tmp\/|\/root\//);
      }
    });
  });
}

function run(engine: TranscriptionEngine, input: EngineInput, report: RecordedReport, signal = never) {
  return engine.input === 'wav'
    ? engine.transcribe(input as WavPiece, report, signal)
    : engine.transcribe(input as AudioSource, report, signal);
}

/** What the promise came to, be it a value or a reason. */
const settled = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

function deadline(): Promise<string> {
  return new Promise((resolve) => {
    setTimeout(() => resolve('still running'), ABORT_DEADLINE_MS).unref();
  });
}

function expectGoodTimes(segments: readonly EngineSegment[], durationMs: number): void {
  let freeFromMs = 0;
  for (const segment of segments) {
    expect(segment.startMs).toBeGreaterThanOrEqual(freeFromMs);
    expect(segment.endMs).toBeGreaterThanOrEqual(segment.startMs);
    expect(segment.endMs).toBeLessThanOrEqual(durationMs);
    expect([segment.startMs, segment.endMs].every(Number.isInteger)).toBe(true);
    expect(segment.text.trim()).not.toBe('');
    expectConfidence(segment.confidence);
    freeFromMs = segment.endMs;
  }
}

function expectGoodWords(segment: EngineSegment): void {
  expect(segment.words?.length ?? 0).toBeGreaterThan(0);
  let freeFromMs = segment.startMs;
  for (const word of segment.words ?? []) {
    expect(word.startMs).toBeGreaterThanOrEqual(freeFromMs);
    expect(word.endMs).toBeGreaterThanOrEqual(word.startMs);
    expect(word.endMs).toBeLessThanOrEqual(segment.endMs);
    expect([word.startMs, word.endMs].every(Number.isInteger)).toBe(true);
    expect(word.text.trim()).not.toBe('');
    expectConfidence(word.confidence);
    freeFromMs = word.startMs;
  }
}

function expectConfidence(confidence: number | null): void {
  if (confidence === null) return;
  expect(confidence).toBeGreaterThanOrEqual(0);
  expect(confidence).toBeLessThanOrEqual(1);
}
