import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory } from '../src/config/cache-directory.ts';
import { readWorkerConfig } from '../src/config/config.ts';
import { sample, writeWav } from '../test/support/whisper-piece.ts';
import { findWhisper } from '../worker/engines/whisper/find-whisper.ts';
import { whisperArguments } from '../worker/engines/whisper/whisper-arguments.ts';
import { median, print, printMachine } from './support/report.ts';
import { type WholeSystem, withWholeSystem } from './support/whole-system.ts';

/**
 * What the system adds to whisper.cpp: a job from submit to COMPLETED against the bare program on the same file,
 * with the same model and arguments, by turns.
 *
 *   npm run bench:overhead [-- <repetitions> <minutes of audio>]
 */
const [repetitions = 5, minutes = 2] = process.argv.slice(2).map(Number);
const AIM = 1.05;
const SHIFT_MINUTES = 64 / 60;
const MODEL = fileURLToPath(new URL('../models/demo/ggml-demo-76.en.bin', import.meta.url));

const config = readWorkerConfig(process.env);
const {
  command: [whisperCli],
  source,
} = await findWhisper(
  config.WHISPER_BIN,
  {
    target: config.WHISPER_BUILD,
    cacheDirectory: cacheDirectory({ CACHE_DIR: config.CACHE_DIR }),
    onStatus: print,
  },
  AbortSignal.timeout(600_000),
);
if (source === 'prebuilt') throw new Error('This needs a whisper-cli; docs/models.md says how to get one.');

await withWholeSystem({ env: { WHISPER_BIN: whisperCli, WHISPER_MODEL: MODEL } }, async (system) => {
  const wavPath = join(system.directory, 'recording.wav');
  const parts = Array.from(
    { length: Math.max(1, Math.ceil(minutes / SHIFT_MINUTES)) },
    () => sample('shift').wav,
  );
  const audioMs = await writeWav(wavPath, parts);
  printMachine();
  print(`${(audioMs / 1000).toFixed(0)} s of audio, ${repetitions} times each, by turns`);
  // The first of each warms caches and is not counted.
  await timeOfJob(system, wavPath);
  const ratios: number[] = [];
  const withinJob: number[] = [];
  const added: number[] = [];
  for (let index = 0; index < repetitions; index += 1) {
    const { bareMs, jobMs, engineMs } = await oneTurn(system, wavPath, index % 2 === 0);
    ratios.push(jobMs / bareMs);
    withinJob.push(jobMs / engineMs);
    added.push(jobMs - engineMs);
    const times = `bare ${seconds(bareMs)}   job ${seconds(jobMs)}, ${seconds(engineMs)} of it in whisper.cpp`;
    print(`  ${times}   ratio ${(jobMs / bareMs).toFixed(3)}`);
  }
  const sorted = ratios.toSorted((a, b) => a - b).map((ratio) => ratio.toFixed(3));
  print(`median ratio ${median(ratios).toFixed(3)} (${sorted[0]} to ${sorted.at(-1)}), aim ${AIM}`);
  print(
    `within each job: ${median(withinJob).toFixed(3)} of its own time in whisper.cpp, ${seconds(median(added))} more`,
  );
});

/** Who goes first alternates, so that a machine that grows slower or faster is fair to both. */
async function oneTurn(system: WholeSystem, wavPath: string, bareFirst: boolean) {
  if (bareFirst) {
    const bareMs = await timeOfBare(system, wavPath);
    return { bareMs, ...(await timeOfJob(system, wavPath)) };
  }
  const job = await timeOfJob(system, wavPath);
  return { ...job, bareMs: await timeOfBare(system, wavPath) };
}

async function timeOfBare({ directory }: WholeSystem, wavPath: string): Promise<number> {
  const args = whisperArguments(
    {
      modelPath: MODEL,
      wavPath,
      outputPath: join(directory, 'bare'),
      language: 'en',
      translate: false,
      vocabulary: [],
    },
    config,
  );
  const startedAt = performance.now();
  const child = spawn(whisperCli, args, {
    stdio: 'ignore',
    env: { ...process.env, OMP_WAIT_POLICY: 'passive' },
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`whisper-cli ended with ${code}`);
  return performance.now() - startedAt;
}

/**
 * The upload, which the bare program has no part of, is not counted. The engine's own share is the same work at the
 * same moment, so it compares even on a machine that is not calm.
 */
async function timeOfJob({ jobs }: WholeSystem, wavPath: string) {
  const uploadId = await jobs.upload(await readFile(wavPath), 'recording.wav', 'audio/wav');
  const startedAt = performance.now();
  const id = await jobs.accepted({ audio: { uploadId }, language: 'en' });
  for await (const _ of jobs.watch(id));
  const jobMs = performance.now() - startedAt;
  const job = await jobs.find(id);
  if (job?.status !== 'COMPLETED') throw new Error(`the job ended as ${job?.status}`);
  return { jobMs, engineMs: (job.usage?.computeSeconds ?? 0) * 1000 };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
