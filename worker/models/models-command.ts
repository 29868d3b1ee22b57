import { resolve } from 'node:path';
import { SingleBar } from 'cli-progress';
import { Command } from 'commander';
import { ConfigError, readWorkerConfig } from '../../src/config/config.ts';
import { CATALOGUE, DEMO_MODEL, findInCatalogue } from './catalogue.ts';
import { checkModel, chooseDefaultModel, listModels, ModelError } from './model-files.ts';
import { pullModel } from './pull-model.ts';

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

async function list(): Promise<void> {
  const config = readWorkerConfig(process.env);
  const installed = await listModels(config.MODELS_DIR);
  const chosen = await chooseDefaultModel(config.MODELS_DIR, config.WHISPER_MODEL).catch(() => null);
  const unknown = installed.filter((model) => findInCatalogue(model.name) === null);
  const rows = [...CATALOGUE, ...unknown.map(({ name }) => ({ name, size: '' }))].map(({ name, size }) => {
    const here = installed.some((model) => model.name === name) ? 'installed' : '';
    return `${name.padEnd(22)}${size.padStart(8)}  ${name === chosen?.name ? 'installed, default' : here}`.trimEnd();
  });
  print(rows.join('\n'));
  print(
    `\nFolder: ${resolve(config.MODELS_DIR)}. Names with .en know English only; the others detect the language.`,
  );
}

async function pull(name: string, signal: AbortSignal): Promise<void> {
  const config = readWorkerConfig(process.env);
  const model = findInCatalogue(name);
  if (model === null || name === DEMO_MODEL) {
    const names = CATALOGUE.filter((known) => known.name !== DEMO_MODEL).map((known) => known.name);
    throw new ModelError(`There is no model ${name} to pull. There are: ${names.join(', ')}.`);
  }
  const present = (await listModels(config.MODELS_DIR)).find((file) => file.name === name);
  if (present !== undefined) {
    await checkModel(present, signal);
    return print(`${name} is already there: ${present.path}`);
  }
  const meter = createMeter(name);
  try {
    const options = {
      directory: config.MODELS_DIR,
      baseUrl: config.MODELS_BASE_URL,
      onProgress: meter.update,
    };
    const path = await pullModel(model, options, signal);
    meter.stop();
    print(`${name} is complete and its checksum right: ${resolve(path)}`);
  } finally {
    meter.stop();
  }
}

async function path(name: string | undefined): Promise<void> {
  const config = readWorkerConfig(process.env);
  print((await chooseDefaultModel(config.MODELS_DIR, name ?? config.WHISPER_MODEL)).path);
}

/** A bar in a terminal; elsewhere a line for every tenth. */
function createMeter(name: string) {
  const megabytes = (bytes: number) => Math.round(bytes / 1024 ** 2);
  if (!process.stdout.isTTY) {
    let told = -1;
    const update = (bytes: number, total: number | null) => {
      const tenth = total === null || total === 0 ? 0 : Math.floor((bytes / total) * 10);
      if (tenth <= told) return;
      told = tenth;
      print(`${name}: ${total === null ? `${megabytes(bytes)} MiB` : `${tenth * 10} %`}`);
    };
    return { update, stop: () => undefined };
  }
  const bar = new SingleBar({ format: `${name} {bar} {percentage} %  {value}/{total} MiB  {eta_formatted}` });
  let started = false;
  const update = (bytes: number, total: number | null) => {
    if (!started) bar.start(megabytes(total ?? 0), 0);
    started = true;
    bar.update(megabytes(bytes));
  };
  return { update, stop: () => bar.stop() };
}

const interrupt = new AbortController();
process.once('SIGINT', () => interrupt.abort(new ModelError('Stopped. Run it again to continue.')));

const program = new Command('models').description('The speech models of this machine.');
program.command('list').description('all known models and those installed').action(list);
program
  .command('pull')
  .argument('<name>', 'such as base.en or large-v3-turbo')
  .description('download a model, or continue an interrupted download')
  .action((name: string) => pull(name, interrupt.signal));
program
  .command('path')
  .argument('[name]', 'by default the model that a worker would take')
  .description("where a model's file is")
  .action(path);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof ModelError) && !(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
