import { Command } from 'commander';
import { Pool } from 'undici';
import { costsOf } from './support/process-costs.ts';
import { percentile, print, printMachine, printTable } from './support/report.ts';
import { type ScriptProcess, startScript } from './support/start-script.ts';

/**
 * Where the milliseconds of the HTTP front go: the same operations through ever more of it, by turns. `node` answers
 * without looking; `yoga` is a bare yoga with the product's schema; `handler` has the product's plugins and its way
 * from a request to yoga; `front` is the whole HTTP server. Behind all of them is an application that answers at once.
 *
 *   node --import tsx bench/http-floor.ts [--turns 3 --seconds 3]
 */
const { turns, seconds } = new Command()
  .option('--turns <n>', 'turns of each layer', Number, 3)
  .option('--seconds <n>', 'length of one', Number, 3)
  .parse()
  .opts<{ turns: number; seconds: number }>();

const LAYERS = ['node', 'yoga', 'handler', 'front'] as const;
const SUBMIT = `mutation Submit($input: SubmitJobInput!) { submitJob(input: $input) {
  __typename ... on SubmitJobPayload { job { id status } } ... on UserError { code message } } }`;
const OPERATIONS = {
  'an empty query': { query: '{ __typename }' },
  submitJob: { query: SUBMIT, variables: { input: { audio: { url: 'https://audio.test/a.mp3' } } } },
};

interface Turn {
  readonly latenciesMs: readonly number[];
  readonly cpuMs: number;
}

const servers = new Map<string, ScriptProcess>();
try {
  for (const layer of LAYERS) {
    servers.set(layer, await startScript('http-floor/server.ts', { NODE_ENV: 'production' }, [layer]));
  }
  printMachine();
  for (const [name, operation] of Object.entries(OPERATIONS)) {
    for (const connections of [1, 50]) await compare(name, operation, connections);
  }
} finally {
  for (const server of servers.values()) await server.stop();
}

async function compare(name: string, operation: object, connections: number): Promise<void> {
  const outcomes = new Map<string, Turn[]>(LAYERS.map((layer) => [layer, []]));
  for (const layer of LAYERS) await load(layer, operation, connections, 2);
  for (let turn = 0; turn < turns; turn += 1) {
    for (const layer of LAYERS) {
      outcomes.get(layer)?.push(await load(layer, operation, connections, seconds));
    }
  }
  print(`${name}, ${connections} connection${connections === 1 ? '' : 's'}`);
  const rows = [...outcomes].map(([layer, mine]) => {
    const latencies = mine.flatMap(({ latenciesMs }) => latenciesMs);
    const cpuMs = mine.reduce((sum, each) => sum + each.cpuMs, 0) / latencies.length;
    return [
      layer,
      (latencies.length / turns / seconds).toFixed(0),
      percentile(latencies, 0.5).toFixed(2),
      percentile(latencies, 0.99).toFixed(2),
      cpuMs.toFixed(3),
    ];
  });
  printTable(['', 'requests/s', 'p50 ms', 'p99 ms', 'CPU ms of the server'], rows);
  print('');
}

async function load(layer: string, operation: object, connections: number, length: number): Promise<Turn> {
  const server = servers.get(layer) as ScriptProcess;
  const pool = new Pool(String(server.ready.url), { connections, pipelining: 1 });
  const body = JSON.stringify(operation);
  const latenciesMs: number[] = [];
  const before = await costsOf(server.pid);
  const until = performance.now() + length * 1000;
  const act = async (): Promise<void> => {
    while (performance.now() < until) {
      const begunAt = performance.now();
      const response = await pool.request({
        path: '/graphql',
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      const answer = await response.body.text();
      if (response.statusCode !== 200 || answer.includes('"errors"')) throw new Error(answer);
      latenciesMs.push(performance.now() - begunAt);
    }
  };
  await Promise.all(Array.from({ length: connections }, act));
  const after = await costsOf(server.pid);
  await pool.close();
  return { latenciesMs, cpuMs: after.cpuMs - before.cpuMs };
}
