// @ts-check
// Stands in for whisper-cli where nothing can be compiled: takes its arguments, as far as whisper-arguments.ts gives
// them, and prints the lines of our build, without probabilities. A process of its own, since the addon cannot stop,
// aborts the process on bad input and reads results while it writes them.
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

/** @typedef {{ text: string, t0: number, t1: number }} Piece */
/** @typedef {{ language: string, segments: Piece[] }} Result */

const WAV_HEADER_BYTES = 44;
const MODEL_UNREADABLE = 3;
const LOOK_EVERY_MS = 100;

const [addon = '', ...args] = process.argv.slice(2);
const { WhisperContext } = createRequire(import.meta.url)(addon);
// Without arguments it only shows that the addon loads.
if (args.length > 0) await transcribe();

async function transcribe() {
  const context = openModel(argumentOf('-m'));
  const sound = (await readFile(argumentOf('-f'))).subarray(WAV_HEADER_BYTES);
  /** @type {Piece[]} */
  const printed = [];
  const { promise } = context.transcribeData(new Uint8Array(sound).buffer, {
    language: argumentOf('-l'),
    translate: args.includes('-tr'),
    prompt: args.includes('--prompt') ? argumentOf('--prompt') : '',
    maxThreads: Number(argumentOf('-t')),
    maxContext: Number(argumentOf('-mc')),
    // Each segment comes as its tokens, all in one call.
    maxLen: 1,
    tokenTimestamps: true,
    onNewSegments: (/** @type {{ result: string, segments: Piece[] }} */ { result, segments }) => {
      printed.push(...segments);
      process.stdout.write(`${lineOf(result, segments)}\n`);
    },
  });
  readSeldom();
  // Does not settle when the addon fails; Node then exits with 13.
  /** @type {Result} */
  const { language, segments } = await promise;
  if (JSON.stringify(segments) !== JSON.stringify(printed))
    throw new Error('The printed segments are not the result.');
  await writeFile(`${argumentOf('-of')}.json`, JSON.stringify({ result: { language }, transcription: [] }));
}

/** @param {string} path */
function openModel(path) {
  try {
    return new WhisperContext({ filePath: path, useGpu: false });
  } catch (error) {
    process.stderr.write(`${error}\n`);
    process.exit(MODEL_UNREADABLE);
  }
}

/** @param {string} name */
function argumentOf(name) {
  const value = args[args.indexOf(name) + 1];
  if (!args.includes(name) || value === undefined) throw new Error(`${name} is missing.`);
  return value;
}

/**
 * The addon reads new segments on this thread, while its own may append the next. It appends all segments of a window
 * at once and then computes for seconds, so reading now and then almost never meets an append; reading as soon as it
 * calls often would.
 */
function readSeldom() {
  const never = new Int32Array(new SharedArrayBuffer(4));
  setInterval(() => Atomics.wait(never, 0, 0, LOOK_EVERY_MS), 1).unref();
}

/**
 * @param {string} text
 * @param {Piece[]} tokens
 */
function lineOf(text, tokens) {
  const first = tokens[0];
  const last = tokens.at(-1);
  if (first === undefined || last === undefined) return '';
  // A token that ends within a character does not survive as a string; then the whole segment is one token.
  const isWhole = tokens.map((token) => token.text).join('') === text;
  const shown = isWhole ? tokens : [{ text, t0: first.t0, t1: last.t1 }];
  const list = shown.map(({ text: part, t0, t1 }) => `${Buffer.byteLength(part)},${t0},${t1},;`).join('');
  return `[${clock(first.t0)} --> ${clock(last.t1)}]  ${text.replaceAll('\n', ' ')}\x1e${list}`;
}

/** @param {number} ms */
function clock(ms) {
  const part = (/** @type {number} */ value, digits = 2) => String(Math.floor(value)).padStart(digits, '0');
  return `${part(ms / 3_600_000)}:${part((ms / 60_000) % 60)}:${part((ms / 1000) % 60)}.${part(ms % 1000, 3)}`;
}
