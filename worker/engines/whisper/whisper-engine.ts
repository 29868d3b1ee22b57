import { cacheDirectory } from '../../../src/config/cache-directory.ts';
import type { WorkerConfig } from '../../../src/config/config.ts';
import { DEFAULT_MODEL } from '../../../src/domain/transcription-options.ts';
import type { Logger } from '../../../src/observability/logger.ts';
import { findSpeechEvidence } from '../../audio/speech-evidence.ts';
import { isSilent } from '../../audio/wav-silence.ts';
import { languagesOf } from '../../models/catalogue.ts';
import {
  checkModel,
  chooseDefaultModel,
  listModels,
  ModelError,
  type ModelFile,
} from '../../models/model-files.ts';
import type { EngineReport, EngineResult, WavEngine, WavPiece } from '../engine.ts';
import { type FoundWhisper, findWhisper } from './find-whisper.ts';
import { runWhisper } from './run-whisper.ts';
import { threadsOf } from './whisper-arguments.ts';
import { WhisperFailure } from './whisper-failure.ts';
import { toLanguageTag, toWhisperLanguage } from './whisper-languages.ts';

/**
 * whisper.cpp as child processes, one `whisper-cli` per piece. The default model is checked before the engine exists,
 * others before their first use.
 *
 * @param onStatus Called with what the start waits for, such as a build with its percentage.
 * @throws WhisperMissingError or ModelError, with remedies in the message; the signal's reason.
 */
export async function createWhisperEngine(
  config: WorkerConfig,
  log: Logger,
  onStatus: (text: string) => void,
  signal: AbortSignal,
): Promise<WavEngine> {
  const { command, source, notice } = await findWhisper(
    config.WHISPER_BIN,
    {
      target: config.WHISPER_BUILD,
      cacheDirectory: cacheDirectory({ CACHE_DIR: config.CACHE_DIR }),
      onStatus,
    },
    signal,
  );
  const defaultModel = await chooseDefaultModel(config.MODELS_DIR, config.WHISPER_MODEL);
  onStatus(`checking the model ${defaultModel.name}`);
  const checkOnce = createModelCheck();
  await checkOnce(defaultModel, signal);
  const { name: model } = defaultModel;
  const device = config.WHISPER_DEVICE;
  log.info({ command, source, model, threads: threadsOf(config), device }, 'whisper engine ready');

  const models = async (): Promise<readonly ModelFile[]> => {
    const listed = await listModels(config.MODELS_DIR);
    return [defaultModel, ...listed.filter((model) => model.name !== defaultModel.name)];
  };

  return {
    engine: 'WHISPER',
    input: 'wav',
    device,
    available: true,
    ...(notice === undefined ? {} : { notice }),
    models: async () =>
      (await models()).map(({ name }) => ({
        name,
        languages: languagesOf(name),
        isDefault: name === defaultModel.name,
      })),
    transcribe: async (piece, report, pieceSignal) => {
      pieceSignal.throwIfAborted();
      const chosen = chooseModel(piece, await models());
      const language = chooseLanguage(piece, chosen);
      await checkOnce(chosen, pieceSignal).catch((error: unknown) => {
        throw error instanceof ModelError ? WhisperFailure.modelUnreadable(error.message, error) : error;
      });
      return transcribe(command, piece, { model: chosen, language }, config, report, pieceSignal);
    },
    close: async () => undefined,
  };
}

async function transcribe(
  command: FoundWhisper['command'],
  piece: WavPiece,
  choice: { readonly model: ModelFile; readonly language: string },
  config: WorkerConfig,
  report: EngineReport,
  signal: AbortSignal,
): Promise<EngineResult> {
  const { model, language } = choice;
  const { hasSpeech, report: filtered } = await withoutNoise(piece, config, report);
  if (!hasSpeech) {
    signal.throwIfAborted();
    report.progress(piece.durationMs);
    return { language: piece.language, languageConfidence: null, model: model.name, requestId: null };
  }
  const call = { modelPath: model.path, language, translate: translates(piece, model) };
  const run = await runWhisper(command, piece, call, config, filtered, signal);
  return {
    language: piece.language ?? toLanguageTag(run.language),
    languageConfidence: run.languageConfidence,
    model: model.name,
    requestId: null,
  };
}

/**
 * Models write words where there is only noise. A piece that is certainly not speech does not go to the model, and its
 * segments over such sound are dropped; everything else, and all times, stay as they are.
 */
async function withoutNoise(piece: WavPiece, config: WorkerConfig, report: EngineReport) {
  if (config.WHISPER_NOISE_CHECK === 'off') return { hasSpeech: !(await isSilent(piece.path)), report };
  const evidence = await findSpeechEvidence(piece.path);
  const filtered: EngineReport = {
    segments: (segments) => {
      const kept = segments.filter(({ startMs, endMs }) => evidence.mayBeSpeech(startMs, endMs));
      if (kept.length > 0) report.segments(kept);
    },
    progress: (processedMs) => report.progress(processedMs),
    audio: (events) => report.audio(events),
    indeterminate: (value) => report.indeterminate(value),
  };
  return { hasSpeech: evidence.anywhere, report: filtered };
}

/** @throws EngineError of kind UNSUPPORTED. */
function chooseModel(piece: WavPiece, available: readonly ModelFile[]): ModelFile {
  if (piece.options.diarize) throw WhisperFailure.diarizationUnsupported();
  const wanted = piece.options.model;
  const found = wanted === DEFAULT_MODEL ? available[0] : available.find((model) => model.name === wanted);
  if (found !== undefined) return found;
  throw WhisperFailure.modelUnknown(
    wanted,
    available.map((model) => model.name),
  );
}

/** whisper.cpp itself would silently use another language. @throws EngineError of kind UNSUPPORTED. */
function chooseLanguage(piece: WavPiece, model: ModelFile): string {
  const only = languagesOf(model.name);
  if (piece.language === null) return only[0] ?? 'auto';
  const code = toWhisperLanguage(piece.language);
  if (code === null) {
    throw WhisperFailure.languageUnsupported(piece.language, model.name, 'no whisper model supports it');
  }
  if (only.length > 0 && !only.includes(code)) {
    const why = `the model supports only ${only.join(', ')}`;
    throw WhisperFailure.languageUnsupported(piece.language, model.name, why);
  }
  return code;
}

function translates(piece: WavPiece, model: ModelFile): boolean {
  return piece.options.translateToEnglish && languagesOf(model.name).length === 0;
}

/** Checks each model file once in the life of the engine. */
function createModelCheck() {
  const checked = new Set<string>();
  return async (model: ModelFile, signal: AbortSignal): Promise<void> => {
    if (checked.has(model.path)) return;
    await checkModel(model, signal);
    checked.add(model.path);
  };
}
