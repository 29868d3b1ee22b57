import { unsupportedOptions } from '../domain/engine-capabilities.ts';
import { ValidationError } from '../domain/errors.ts';
import type { ModelView } from '../domain/queue-view.ts';
import { DEFAULT_MODEL, type Engine, type TranscriptionOptions } from '../domain/vocabulary.ts';

/** An option that one of the engines lacks is refused, never silently dropped. */
export function checkCapabilities(engines: readonly Engine[], options: TranscriptionOptions): void {
  const issues = engines.flatMap((engine) =>
    unsupportedOptions(engine, options).map(({ field, message }) => ({
      path: ['input', field],
      rule: 'unsupported',
      message,
    })),
  );
  if (issues.length > 0) throw new ValidationError(issues, 'UNSUPPORTED');
}

/** `model` names one of the first engine's; nothing is refused while no worker of it was ever seen. */
export function checkModel(
  models: readonly ModelView[],
  engines: readonly Engine[],
  options: TranscriptionOptions,
): void {
  if (options.model === DEFAULT_MODEL) return;
  const [engine] = engines;
  const known = models.filter((model) => model.engine === engine);
  const model = known.find((candidate) => candidate.name === options.model);
  if (known.length === 0) return;
  if (model === undefined) {
    const names = known.map((candidate) => candidate.name).join(', ');
    const message = `\`model\` ${options.model} is not among the models of ${engine}: ${names}.`;
    throw new ValidationError([{ path: ['input', 'model'], rule: 'known', message }]);
  }
  const language = options.language?.split('-')[0]?.toLowerCase();
  if (language === undefined || model.languages.length === 0) return;
  if (model.languages.some((candidate) => candidate.split('-')[0]?.toLowerCase() === language)) return;
  const message = `\`language\` ${options.language} is not understood by ${model.name}, which knows: ${model.languages.join(', ')}.`;
  throw new ValidationError([{ path: ['input', 'language'], rule: 'unsupported', message }], 'UNSUPPORTED');
}
