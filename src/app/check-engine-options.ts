import { unsupportedOptions } from '../domain/engine-capabilities.ts';
import { ValidationError } from '../domain/errors.ts';
import type { ModelView } from '../domain/queue-view.ts';
import { DEFAULT_MODEL, type TranscriptionOptions } from '../domain/transcription-options.ts';
import type { Engine } from '../domain/vocabulary.ts';
import type { Storage } from '../storage/open-storage.ts';

/**
 * Refuses options that one of the engines lacks; none is silently dropped.
 *
 * @throws ValidationError, with the code UNSUPPORTED unless a name is unknown.
 */
export async function checkEngineOptions(
  models: Storage['models'],
  engines: readonly Engine[],
  options: TranscriptionOptions,
): Promise<void> {
  const issues = engines.flatMap((engine) =>
    unsupportedOptions(engine, options).map(({ field, message }) => ({
      path: ['input', field],
      rule: 'unsupported',
      message,
    })),
  );
  if (issues.length > 0) throw new ValidationError(issues, 'UNSUPPORTED');
  if (options.model === DEFAULT_MODEL) return;
  const model = checkModel(await models.known(), engines[0], options.model);
  if (model !== null) checkLanguage(model, options.language);
}

/**
 * Finds a model of an engine by its name; null while no worker of the engine has announced any, so that jobs can be
 * submitted before the first worker starts.
 *
 * @throws ValidationError when the engine has models, but not this one.
 */
export function checkModel(
  models: readonly ModelView[],
  engine: Engine | undefined,
  name: string,
): ModelView | null {
  const known = models.filter((model) => model.engine === engine);
  if (known.length === 0) return null;
  const model = known.find((candidate) => candidate.name === name);
  if (model !== undefined) return model;
  const names = known.map((candidate) => candidate.name).join(', ');
  const message = `\`model\` must be a model of ${engine}: ${names}; ${name} is unknown.`;
  throw new ValidationError([{ path: ['input', 'model'], rule: 'known', message }]);
}

function checkLanguage(model: ModelView, wanted: string | null): void {
  const primaryOf = (tag: string) => tag.split('-')[0]?.toLowerCase();
  if (wanted === null || model.languages.length === 0) return;
  if (model.languages.some((language) => primaryOf(language) === primaryOf(wanted))) return;
  const message = `\`language\` ${wanted} is not supported by ${model.name}; it supports: ${model.languages.join(', ')}.`;
  throw new ValidationError([{ path: ['input', 'language'], rule: 'unsupported', message }], 'UNSUPPORTED');
}
