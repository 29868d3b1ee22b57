import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { withPlainService } from './plain/with-plain-service.ts';
import { type Outcome, type Phase, runPhase } from './queue/phases.ts';
import { printKinds, printPhase } from './queue/print-outcomes.ts';
import { plainSide, productSide, type Side } from './queue/sides.ts';
import { print, printMachine } from './support/report.ts';
import { withWholeSystem } from './support/whole-system.ts';

/**
 * This product against the plain way (bench/plain: yoga, BullMQ on Redis, rows in Postgres): the same calls by the same
 * client, the same engine, both with a server and a worker as processes of their own, by turns.
 *
 *   npm run bench:queue [-- --turns 3 --seconds 8 --connections 50 --watchers 20]
 */
const options = new Command('npm run bench:queue --')
  .option('--turns <n>', 'turns of each side', Number, 3)
  .option('--seconds <n>', 'length of a phase', Number, 8)
  .option('--connections <n>', 'clients that submit at once', Number, 50)
  .option('--watchers <n>', 'jobs at a time end to end, and slots of a worker', Number, 20)
  .option('--bulk <n>', 'jobs in one call of submitJobs', Number, 100)
  .option('--only <side>', 'product or plain')
  .option('--profile <folder>', 'CPU profiles of servers and workers, one for each phase of a turn')
  .option('--kinds <n>', 'how many statements of each side to print', Number, 12)
  .parse()
  .opts<{
    turns: number;
    seconds: number;
    connections: number;
    watchers: number;
    bulk: number;
    only?: Side['name'];
    profile?: string;
    kinds: number;
  }>();

const ENGINE = fileURLToPath(new URL('../test/support/scripted-engine.mjs', import.meta.url));
const WARM_UP_SECONDS = 3;
const BULK_CLIENTS = 4;
const sizes = { connections: options.connections };
const PROFILER = new URL('support/profile-process.mjs', import.meta.url).href;
const env = {
  // As in the product's image.
  NODE_ENV: 'production',
  ...(options.profile && {
    NODE_OPTIONS: `--import ${PROFILER}`,
    PROFILE_DIRECTORY: resolve(options.profile),
  }),
};

const submit: Phase = {
  title: `Submit, ${options.connections} connections`,
  latency: 'submit -> answered',
  unit: 'submits',
  seconds: options.seconds,
  actors: options.connections,
  paused: true,
  step: async ({ client }) => {
    const begunAt = performance.now();
    await client.submit();
    return { jobs: 1, latencyMs: performance.now() - begunAt };
  },
};
const endToEnd: Phase = {
  title: `End to end, ${options.watchers} jobs at a time, each with a watcher on a websocket of its own`,
  latency: 'submit -> completed on the websocket',
  unit: 'jobs',
  seconds: options.seconds,
  actors: options.watchers,
  paused: false,
  step: async ({ client }) => {
    const socket = await client.connect();
    const begunAt = performance.now();
    await client.watch(socket, await client.submit());
    const latencyMs = performance.now() - begunAt;
    await socket.dispose();
    return { jobs: 1, latencyMs };
  },
};
const bulk: Phase = {
  title: `Bulk submit, ${BULK_CLIENTS} connections, ${options.bulk} jobs a call`,
  latency: 'call -> answered',
  unit: 'jobs',
  seconds: Math.ceil(options.seconds / 2),
  actors: BULK_CLIENTS,
  paused: true,
  step: async ({ client }) => {
    const begunAt = performance.now();
    const { length } = await client.submitMany(options.bulk);
    return { jobs: length, latencyMs: performance.now() - begunAt };
  },
};

const withProduct = (measure: (side: Side) => Promise<void>): Promise<void> =>
  withWholeSystem(
    { statistics: true, workerArgs: ['--engine', ENGINE, '--slots', String(options.watchers)], env },
    (system) => using(productSide(system, sizes), measure),
  );
const withPlain = (measure: (side: Side) => Promise<void>): Promise<void> =>
  withPlainService({ slots: options.watchers, env }, (service) => using(plainSide(service, sizes), measure));

if (options.only === 'product') await withProduct((side) => compare([side]));
else if (options.only === 'plain') await withPlain((side) => compare([side]));
else await withProduct((product) => withPlain((plain) => compare([product, plain])));

async function using(side: Side, measure: (side: Side) => Promise<void>): Promise<void> {
  try {
    await measure(side);
  } finally {
    await side.close();
  }
}

async function compare(sides: readonly Side[]): Promise<void> {
  printMachine();
  for (const phase of [endToEnd, submit]) {
    for (const side of sides) await runPhase(side, { ...phase, seconds: WARM_UP_SECONDS });
  }
  for (const phase of [submit, endToEnd, bulk]) {
    const able: Side[] = [];
    for (const side of sides) {
      if (phase !== bulk || (await side.client.hasSubmitMany())) able.push(side);
      else print(`${phase.title}: not available yet in ${side.name}\n`);
    }
    const outcomes = await byTurns(able, phase);
    if (able.length === 0) continue;
    printPhase(phase, options.turns, outcomes);
    if (phase === endToEnd) for (const [name, turns] of outcomes) printKinds(name, turns, options.kinds);
  }
}

/** Who goes first alternates, so that a machine that grows slower or faster is fair to both. */
async function byTurns(sides: readonly Side[], phase: Phase): Promise<Map<Side['name'], Outcome[]>> {
  const outcomes = new Map<Side['name'], Outcome[]>(sides.map(({ name }) => [name, []]));
  for (let turn = 0; turn < options.turns; turn += 1) {
    for (const side of turn % 2 === 0 ? sides : sides.toReversed()) {
      await toggleProfiles(side);
      outcomes.get(side.name)?.push(await runPhase(side, phase));
      await toggleProfiles(side);
      if (phase === endToEnd) await side.client.assertLastIsStored();
    }
  }
  return outcomes;
}

async function toggleProfiles({ pids }: Side): Promise<void> {
  if (options.profile === undefined) return;
  for (const pid of [pids.server, pids.worker]) process.kill(pid, 'SIGUSR2');
  // The processes act on it in their own time.
  await delay(1000);
}
