/**
 * An engine from outside that transcribes a script instead of sound: the recording's URL says what
 * it contains, so a test knows every segment beforehand and needs no audio, no model and no network.
 *
 *   npm run worker -- --engine ./test/support/scripted-engine.mjs
 *
 * The URL's last four path parts are the script; host and query before them don't matter:
 *
 *   https://script.test/<seed>/<segments>/<segmentMs>/<paceMs>
 *
 * seed       any word; other seeds give other texts
 * segments   how many segments the recording has
 * segmentMs  length of the stretch each one covers, in milliseconds of audio
 * paceMs     real milliseconds that each one takes
 *
 * Query parameters make it misbehave. `<on>` names the attempts, as `1` or `1.3`, or `*` for all:
 *
 *   fail=<KIND>@<on>  a failure of that kind; with `retryable=true|false` (default: by kind) and
 *                     `retryAfterMs=<n>`
 *   hang=<on>         never goes on, until aborted
 *   crash=<on>        the process exits with 70 at once
 *   after=<n>         all of these come when n segments of the script are done (default 0)
 *   silent=1          there is no speech: no segment is reported
 *
 * Environment: SCRIPTED_LANE (default WHISPER) is the lane it serves; while the file named by
 * SCRIPTED_UNAVAILABLE_FILE exists the engine says that it is not available.
 */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const WORDS =
  'amber boat cedar dawn ember field grain harbour island jasper kettle lantern meadow north orchard pebble quiet river stone timber umbrella valley winter yellow'.split(
    ' ',
  );
const RETRYABLE = new Set([
  'TIMEOUT',
  'RATE_LIMITED',
  'ENGINE_UNAVAILABLE',
  'WORKER_LOST',
  'OUT_OF_MEMORY',
  'INTERNAL',
]);

/** The script in a URL: how long it is, and every segment as an engine must report it. */
export function scriptOf(url) {
  const parsed = new URL(url);
  const [seed, ...numbers] = parsed.pathname.split('/').slice(-4);
  const [segmentCount, segmentMs, paceMs] = numbers.map(Number);
  if (!(segmentCount >= 0 && segmentMs > 0 && paceMs >= 0)) return null;
  const segments = Array.from({ length: segmentCount }, (_, index) => segmentOf(seed, index, segmentMs));
  return { durationMs: segmentCount * segmentMs, paceMs, segments, query: parsed.searchParams };
}

function segmentOf(seed, index, segmentMs) {
  const random = randomOf(`${seed}/${index}`);
  const startMs = index * segmentMs;
  const endMs = startMs + Math.ceil(segmentMs * 0.9);
  const count = 3 + (random() % 6);
  const texts = Array.from({ length: count }, () => WORDS[random() % WORDS.length]);
  const wordMs = (endMs - startMs) / count;
  const words = texts.map((text, at) => ({
    startMs: Math.round(startMs + at * wordMs),
    endMs: Math.round(startMs + (at + 1) * wordMs),
    text,
    confidence: 0.9,
  }));
  const text = `${seed} ${index}: ${texts.join(' ')}.`;
  return { startMs, endMs, text, speaker: null, confidence: 0.5 + (random() % 50) / 100, words };
}

/** FNV-1a to start from, xorshift to go on: the same numbers on every machine. */
function randomOf(text) {
  let state = 2166136261;
  for (const character of text) state = Math.imul(state ^ character.codePointAt(0), 16777619) >>> 0;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return state;
  };
}

export async function createEngine({ env, log }) {
  const seen = new Map();
  return {
    engine: env.SCRIPTED_LANE ?? 'WHISPER',
    input: 'source',
    device: 'script',
    get available() {
      return env.SCRIPTED_UNAVAILABLE_FILE === undefined || !existsSync(env.SCRIPTED_UNAVAILABLE_FILE);
    },
    models: async () => [{ name: 'script', languages: [], isDefault: true }],
    async transcribe(source, report, signal) {
      signal.throwIfAborted();
      const script = scriptOf(source.url);
      if (script === null) throw failureOf('AUDIO', 'The URL holds no script.', false);
      // A worker that doesn't say which attempt it is gets its own count, good within one process.
      const attempt = source.attempt ?? (seen.get(source.jobId) ?? 0) + 1;
      seen.set(source.jobId, attempt);
      log.debug({ jobId: source.jobId, attempt, resumeMs: source.resumeMs }, 'script starts');
      report.audio({ durationMs: script.durationMs, channels: 1 });
      await perform(script, attempt, source, report, signal);
      return { language: 'en', languageConfidence: 1, model: 'script', requestId: null };
    },
    close: async () => {},
  };
}

async function perform(script, attempt, source, report, signal) {
  const { query } = script;
  const first = script.segments.findIndex((segment) => segment.startMs >= source.resumeMs);
  const from = first === -1 ? script.segments.length : first;
  const misbehaveAt = Math.max(from, Number(query.get('after') ?? 0));
  for (let index = from; index <= script.segments.length; index += 1) {
    if (index === misbehaveAt) await misbehave(query, attempt, signal);
    const segment = script.segments[index];
    if (segment === undefined) return;
    await pause(script.paceMs, signal);
    const words = source.options.timestamps === 'WORD' ? segment.words : null;
    if (query.get('silent') !== '1') report.segments([{ ...segment, words }]);
    report.progress(segment.endMs);
  }
}

async function misbehave(query, attempt, signal) {
  if (happensOn(query.get('crash'), attempt)) process.exit(70);
  if (happensOn(query.get('hang'), attempt)) await pause(2 ** 31 - 1, signal);
  const [kind, on = '*'] = (query.get('fail') ?? '').split('@');
  if (kind === '' || !happensOn(on, attempt)) return;
  const retryable = query.has('retryable') ? query.get('retryable') === 'true' : RETRYABLE.has(kind);
  const retryAfterMs = query.has('retryAfterMs') ? Number(query.get('retryAfterMs')) : undefined;
  throw failureOf(kind, `The script fails attempt ${attempt}.`, retryable, retryAfterMs);
}

function happensOn(attempts, attempt) {
  return attempts === '*' || (attempts ?? '').split('.').includes(String(attempt));
}

/** What the worker takes for an `EngineError` (worker/engines/engine.ts). */
function failureOf(kind, message, retryable, retryAfterMs) {
  const failure = { kind, code: `SCRIPTED_${kind}`, message, retryable };
  if (retryAfterMs !== undefined) failure.retryAfterMs = retryAfterMs;
  return Object.assign(new Error(message), { name: 'EngineError', failure, requestId: null });
}

async function pause(ms, signal) {
  if (ms > 0) await delay(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
  signal.throwIfAborted();
}
