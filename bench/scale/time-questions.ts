import type { GraphQLClient } from '../../test/support/graphql-client.ts';
import { median, percentile, print, printTable } from '../support/report.ts';
import type { Known, Question } from './questions.ts';

export interface Timed {
  readonly name: string;
  readonly valuesMs: readonly number[];
  /** Of the server and of Postgres together, a call; the one figure that a busy machine changes little. */
  readonly cpuMs?: number;
  /** Calls that the server gave up, after the time that an operation may take. */
  readonly givenUp?: number;
}

export interface Asking {
  readonly client: GraphQLClient;
  readonly known: Known;
  /** CPU time so far of the server and of Postgres. */
  readonly cpuMs: () => Promise<number>;
  /** Longest time for a question; a slow one is asked a few times all the same. */
  readonly seconds: number;
}

const MOST = 200;
const LEAST = 5;
/** No read takes longer, 99 times of 100. */
const AIM_MS = 25;

export async function timeQuestion(
  { client, known, seconds, cpuMs }: Asking,
  { name, query, variables }: Question,
): Promise<Timed> {
  let givenUp = 0;
  const ask = async (): Promise<number> => {
    const asked = { ...variables(known) };
    const begunAt = performance.now();
    const { errors } = await client.post(query, asked);
    const ms = performance.now() - begunAt;
    const unexpected = errors.filter(({ extensions }) => extensions?.code !== 'QUERY_TIMEOUT');
    if (unexpected.length > 0) throw new Error(`${name}: ${JSON.stringify(unexpected)}`);
    givenUp += errors.length;
    return ms;
  };
  // Plans and caches are not what is timed.
  await ask();
  givenUp = 0;
  const valuesMs: number[] = [];
  const cpuBefore = await cpuMs();
  const until = performance.now() + seconds * 1000;
  while (valuesMs.length < LEAST || (valuesMs.length < MOST && performance.now() < until)) {
    valuesMs.push(await ask());
  }
  return { name, valuesMs, givenUp, cpuMs: ((await cpuMs()) - cpuBefore) / valuesMs.length };
}

export function printTimesOf(title: string, reference: Timed, timed: readonly Timed[]): void {
  const unit = median(reference.valuesMs);
  print(title);
  const rows = [reference, ...timed].map(({ name, valuesMs, cpuMs, givenUp = 0 }) => {
    const [p50 = 0, p99 = 0] = [0.5, 0.99].map((share) => percentile(valuesMs, share));
    const times = [p50, p99, p50 / unit].map((value) => value.toFixed(1));
    const slow = givenUp > 0 ? `${givenUp} given up` : p99 > AIM_MS ? `over ${AIM_MS} ms` : '';
    return [name, ...times, cpuMs?.toFixed(1) ?? '', String(valuesMs.length), slow];
  });
  printTable(['', 'p50 ms', 'p99 ms', 'p50/ref', 'CPU ms', 'calls', ''], rows);
  const over = rows.slice(1).filter((row) => row.at(-1) !== '').length;
  print(`  ${over} of ${timed.length} take more than ${AIM_MS} ms at the 99th percentile\n`);
}
