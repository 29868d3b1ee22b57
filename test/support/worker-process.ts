import { connectToNats } from '../../src/messaging/connection.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { createAudioPipeline } from '../../worker/audio/audio-pipeline.ts';
import type { WorkerTiming } from '../../worker/timing.ts';
import { startWorker } from '../../worker/worker.ts';
import { createEngine } from './scripted-engine.mjs';

/** A worker as a process of its own, with the test's times, to kill and freeze; see `spawnWorker` in worker-rig.ts. */
const [url = '', directory = '', timing = '{}'] = process.argv.slice(2);
const log = createLogger('worker', process.env.LOG_LEVEL ?? 'silent');
const nc = await connectToNats({ url, name: 'worker', log });
const parsed: Partial<WorkerTiming> = JSON.parse(timing);
const worker = await startWorker({
  nc,
  log,
  engine: await createEngine({ env: {}, log }),
  audio: createAudioPipeline({ allowedNetworks: [], ffmpegPath: '' }),
  slots: 1,
  pieceMs: 60_000,
  directory,
  version: 'test',
  timing: parsed,
});
process.send?.({ type: 'ready', workerId: worker.workerId });
process.once('SIGTERM', () => {
  void worker
    .drain(0)
    .then(() => nc.close())
    .then(() => process.disconnect());
});
