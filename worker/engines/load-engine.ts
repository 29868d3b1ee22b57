import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError, type WorkerConfig } from '../../src/config/config.ts';
import { ENGINES } from '../../src/domain/vocabulary.ts';
import type { Logger } from '../../src/observability/logger.ts';
import { createDeepgramEngine } from './deepgram/deepgram-engine.ts';
import type { TranscriptionEngine } from './engine.ts';
import { createWhisperEngine } from './whisper/whisper-engine.ts';

export interface EngineSetting {
  readonly config: WorkerConfig;
  /** For engine modules, which have variables of their own. */
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
  readonly onStatus: (text: string) => void;
  readonly signal: AbortSignal;
}

/**
 * Loads an engine by its name: `whisper`, `deepgram`, or the path of a module that exports
 * `createEngine({ config, env, log })` (docs/engines.md).
 *
 * @throws ConfigError for something that is not an engine; whatever the engine throws while it starts.
 */
export async function loadEngine(name: string, setting: EngineSetting): Promise<TranscriptionEngine> {
  const { config, log, onStatus, signal } = setting;
  if (name === 'whisper') return createWhisperEngine(config, log, onStatus, signal);
  if (name === 'deepgram') return createDeepgramEngine(config, log);
  if (!/[./\\]/.test(name)) {
    throw new ConfigError(`There is no engine ${name}: use whisper, deepgram, or the path of a module.`);
  }
  return loadModule(resolve(name), setting);
}

async function loadModule(path: string, { config, env, log }: EngineSetting): Promise<TranscriptionEngine> {
  const file = await stat(path).catch(() => null);
  if (file === null || !file.isFile()) throw new ConfigError(`There is no engine module at ${path}.`);
  const module: unknown = await import(pathToFileURL(path).href);
  const createEngine = fieldOf(module, 'createEngine');
  if (typeof createEngine !== 'function') {
    throw new ConfigError(`The engine module ${path} exports no function createEngine; see docs/engines.md.`);
  }
  const engine: unknown = await createEngine({ config, env, log });
  const faults = faultsOf(engine);
  if (faults.length > 0) {
    throw new ConfigError(`The engine of ${path} is not usable: ${faults.join('; ')}. See docs/engines.md.`);
  }
  return engine as TranscriptionEngine;
}

function faultsOf(engine: unknown): string[] {
  const faults: string[] = [];
  const expect = (right: boolean, fault: string) => {
    if (!right) faults.push(fault);
  };
  const names: readonly unknown[] = ENGINES;
  expect(names.includes(fieldOf(engine, 'engine')), `engine must be one of ${ENGINES.join(', ')}`);
  expect(['wav', 'source'].includes(String(fieldOf(engine, 'input'))), 'input must be wav or source');
  expect(typeof fieldOf(engine, 'device') === 'string', 'device must be a string');
  expect(typeof fieldOf(engine, 'available') === 'boolean', 'available must be a boolean');
  for (const method of ['models', 'transcribe', 'close']) {
    expect(typeof fieldOf(engine, method) === 'function', `${method} must be a function`);
  }
  return faults;
}

function fieldOf(value: unknown, field: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, field) : undefined;
}
