import type { WorkerConfig } from '../../../src/config/config.ts';
import type { Logger } from '../../../src/observability/logger.ts';
import type { WavEngine } from '../engine.ts';

/**
 * whisper.cpp as child processes of `whisper-cli`, one a piece. Builds whisper-cli once where there is none.
 * @param onStatus Told what the start is waiting for, such as a build with its percentage.
 */
export async function createWhisperEngine(
  config: WorkerConfig,
  log: Logger,
  onStatus: (text: string) => void,
  signal: AbortSignal,
): Promise<WavEngine> {
  signal.throwIfAborted();
  log.debug({ device: config.WHISPER_DEVICE }, 'whisper engine');
  onStatus('starting');
  throw new Error('Not yet.');
}
