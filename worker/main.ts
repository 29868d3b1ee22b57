import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { ConfigError, readWorkerConfig, type WorkerConfig } from '../src/config/config.ts';
import { connectToNats, isConnected } from '../src/messaging/connection.ts';
import { createLogger, type Logger } from '../src/observability/logger.ts';
import { aborted } from '../src/process/wait.ts';
import { type AudioPipeline, createAudioPipeline } from './audio/audio-pipeline.ts';
import { findFfmpeg } from './audio/find-ffmpeg.ts';
import type { TranscriptionEngine } from './engines/engine.ts';
import { loadEngine } from './engines/load-engine.ts';
import { startWorker } from './worker.ts';

interface CommandLine {
  readonly engine: string;
  readonly slots?: number;
  readonly name?: string;
}

/** Something is missing on the machine or in the configuration; the message names it. */
const EXIT_MISCONFIGURED = 2;

const program = new Command('worker')
  .description('Takes transcription jobs from NATS and runs them.')
  .option('--engine <name>', 'whisper, deepgram, or the path of an engine module (.mjs)', 'whisper')
  .option('--slots <n>', 'jobs at a time (default: WORKER_SLOTS)', toSlots)
  .option('--name <name>', 'shown to users instead of the host name')
  .action(main);
await program.parseAsync();

async function main(options: CommandLine): Promise<void> {
  const stopping = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => stopping.abort(new Error(name)));
  }
  // Sent when the parent process is gone, which then cannot stop its worker.
  process.once('disconnect', () => stopping.abort(new Error('disconnect')));
  try {
    const fromEnvironment = readWorkerConfig(process.env);
    // Engines divide the cores among the slots.
    const config = {
      ...fromEnvironment,
      WORKER_SLOTS: options.slots ?? fromEnvironment.WORKER_SLOTS,
    };
    await work(options, config, createLogger('worker', config.LOG_LEVEL), stopping.signal);
    process.exitCode = 0;
  } catch (error) {
    if (stopping.signal.aborted) process.exitCode = 0;
    else {
      process.exitCode = error instanceof ConfigError ? EXIT_MISCONFIGURED : 1;
      process.stderr.write(`The worker cannot start: ${error instanceof Error ? error.message : error}\n`);
    }
  }
  // The channel to the parent would keep this process running.
  if (process.connected) process.disconnect();
}

/** Runs until the signal aborts. */
async function work(
  options: CommandLine,
  config: WorkerConfig,
  log: Logger,
  stopping: AbortSignal,
): Promise<void> {
  const onStatus = (text: string) => {
    log.info(text);
    process.send?.({ type: 'status', text });
  };
  const engine = await loadEngine(options.engine, {
    config,
    env: process.env,
    log,
    onStatus,
    signal: stopping,
  });
  if (engine.notice !== undefined) log.warn(engine.notice);
  const audio = await audioFor(engine, config, log);
  stopping.throwIfAborted();
  onStatus('connecting to NATS');
  const nc = await connectToNats({
    url: config.NATS_URL,
    credentialsFile: config.NATS_CREDS,
    name: 'worker',
    log,
  });
  const worker = await startWorker({
    nc,
    log,
    engine,
    audio,
    slots: slotsFor(engine, options.slots, config),
    pieceMs: config.CHUNK_SECONDS * 1000,
    directory: join(config.DATA_DIR, 'work'),
    name: options.name,
    version: await versionOf(),
  });
  process.send?.({ type: 'ready', workerId: worker.workerId, notice: engine.notice });
  const closed = await Promise.race([aborted(stopping).then(() => false), nc.closed().then(() => true)]);
  log.info('shutting down');
  await worker.drain(closed ? 0 : config.WORKER_GRACE_SECONDS * 1000);
  if (closed) throw new Error('NATS no longer accepts the login of this worker; check NATS_CREDS.');
  // Draining waits for a reply, which never comes while NATS is unreachable.
  await (isConnected(nc) ? nc.drain() : nc.close());
}

/** Only engines that take WAV need ffmpeg. */
async function audioFor(
  engine: TranscriptionEngine,
  config: WorkerConfig,
  log: Logger,
): Promise<AudioPipeline> {
  const allowedNetworks = config.AUDIO_ALLOWED_NETWORKS;
  if (engine.input === 'source') return createAudioPipeline({ allowedNetworks, ffmpegPath: '' });
  const ffmpeg = await findFfmpeg(config);
  if (ffmpeg.source === 'installer') {
    log.warn(
      ffmpeg,
      'using an old ffmpeg from an npm package; install a current one before processing untrusted files',
    );
  }
  return createAudioPipeline({ allowedNetworks, ffmpegPath: ffmpeg.path });
}

/** Hosted engines use little of this machine, so they set their own limit. */
function slotsFor(engine: TranscriptionEngine, asked: number | undefined, config: WorkerConfig): number {
  if (engine.maxConcurrency === undefined) return asked ?? config.WORKER_SLOTS;
  // Jobs above the engine's own limit would hold a slot, wait, and yet be shown as running.
  return Math.min(asked ?? engine.maxConcurrency, engine.maxConcurrency);
}

function toSlots(text: string): number {
  const slots = Number(text);
  if (!Number.isInteger(slots) || slots < 1 || slots > 64) {
    throw new InvalidArgumentError('must be a number from 1 to 64');
  }
  return slots;
}

/** The version in package.json, which is one folder further up when this is compiled. */
async function versionOf(): Promise<string> {
  for (const place of ['../package.json', '../../package.json']) {
    const text = await readFile(new URL(place, import.meta.url), 'utf8').catch(() => null);
    if (text === null) continue;
    const manifest: unknown = JSON.parse(text);
    if (typeof manifest === 'object' && manifest !== null && 'version' in manifest)
      return String(manifest.version);
  }
  return 'unknown';
}
