import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { type Fanout, measureFanout } from './fanout/subscribers.ts';
import { print, printMachine, printTable } from './support/report.ts';
import { startScript } from './support/start-script.ts';
import { withWholeSystem } from './support/whole-system.ts';

/**
 * What subscribers of one running job cost the server, for each event that reaches one of them, against plain
 * graphql-ws over a source in memory, by turns.
 *
 *   node --import tsx bench/fanout.ts [--subscribers 1,100,1000 --seconds 10 --pace 200]
 */
const options = new Command()
  .option('--subscribers <list>', 'how many at once', '1,100,1000')
  .option('--seconds <n>', 'length of a measurement', Number, 10)
  .option('--pace <ms>', 'between two segments', Number, 200)
  .parse()
  .opts<{ subscribers: string; seconds: number; pace: number }>();

const ENGINE = fileURLToPath(new URL('../test/support/scripted-engine.mjs', import.meta.url));
/** Of a second each: a recording not longer than the server takes. */
const SEGMENTS = 30_000;
const env = { NODE_ENV: 'production' };

await withWholeSystem({ workerArgs: ['--engine', ENGINE], env }, async ({ url, pids, jobs }) => {
  const plain = await startScript('fanout/plain-server.ts', { ...env, PACE_MS: String(options.pace) });
  try {
    printMachine();
    const id = await jobs.accepted({
      audio: { url: `https://script.test/fanout/${SEGMENTS}/1000/${options.pace}` },
    });
    for await (const { newSegments } of jobs.watch(id)) if (newSegments.length > 0) break;
    const product = (subscribers: number) =>
      measureFanout(url, pids.server, id, { subscribers, seconds: options.seconds });
    const graphqlWs = (subscribers: number) =>
      measureFanout(String(plain.ready.url), plain.pid, id, { subscribers, seconds: options.seconds });
    // The cost of the job without subscribers does not count.
    const alone = { product: await product(0), plain: await graphqlWs(0) };
    const rows: string[][] = [];
    for (const subscribers of options.subscribers.split(',').map(Number)) {
      const mine = rowOf('product', await product(subscribers), alone.product);
      const theirs = rowOf('graphql-ws', await graphqlWs(subscribers), alone.plain);
      rows.push([...mine.cells, (mine.usPerEvent / theirs.usPerEvent).toFixed(2)], [...theirs.cells, '']);
    }
    print(`Subscribers of one job, a segment every ${options.pace} ms, ${options.seconds} s each`);
    printTable(['', 'subscribers', 'events/s', 'CPU us an event', 'ratio'], rows);
  } finally {
    await plain.stop();
  }
});

function rowOf(name: string, { subscribers, events, seconds, cpuMs }: Fanout, alone: Fanout) {
  const usPerEvent = ((cpuMs - (alone.cpuMs / alone.seconds) * seconds) * 1000) / events;
  const cells = [name, String(subscribers), (events / seconds).toFixed(0), usPerEvent.toFixed(1)];
  return { cells, usPerEvent };
}
