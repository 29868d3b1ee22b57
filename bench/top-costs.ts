import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { print, printTable } from './support/report.ts';

/**
 * Where a CPU profile spent its time: the functions and the packages with the most of their own, and the functions of
 * this project with the most in all that they call before they first wait.
 *
 *   npm run bench:queue -- --only product --profile profiles
 *   node --import tsx bench/top-costs.ts profiles/<file>.cpuprofile [rows]
 */
const [file = '', rows = '25'] = process.argv.slice(2);
const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Not the program's: waiting, and the profiler that hands over what it has. */
const NOT_COUNTED = new Set(['(idle)', 'dispatch']);

interface Frame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: Frame;
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const { nodes, samples, timeDeltas }: Profile = JSON.parse(await readFile(file, 'utf8'));
const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
const parents = new Map(nodes.flatMap(({ id, children }) => (children ?? []).map((child) => [child, id])));
const byFunction = new Map<string, number>();
const byPackage = new Map<string, number>();
const inclusive = new Map<string, number>();
let busyUs = 0;
for (const [at, id] of samples.entries()) {
  const frame = frames.get(id);
  const us = timeDeltas[at] ?? 0;
  if (frame === undefined || NOT_COUNTED.has(frame.functionName)) continue;
  busyUs += us;
  add(byFunction, nameOf(frame), us);
  add(byPackage, packageOf(frame), us);
  for (const name of callersOf(id)) add(inclusive, name, us);
}
print(`${(busyUs / 1e6).toFixed(1)} s of CPU`);
printTop('by function, its own time', byFunction);
printTop('by package, its own time', byPackage);
printTop('functions of this project, with all they call', inclusive);

function add(sums: Map<string, number>, key: string, us: number): void {
  sums.set(key, (sums.get(key) ?? 0) + us);
}

function placeOf({ url }: Frame): string {
  return url.replace('file://', '').replace(ROOT, '');
}

function nameOf(frame: Frame): string {
  const place = placeOf(frame);
  const name = frame.functionName || '(anonymous)';
  return place === '' ? name : `${name}  ${place}:${frame.lineNumber + 1}`;
}

function packageOf(frame: Frame): string {
  const place = placeOf(frame);
  const inModules = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(place)?.[1];
  if (inModules !== undefined) return inModules;
  return place === '' ? frame.functionName || '(anonymous)' : place.split('/').slice(0, 3).join('/');
}

/** Each once, however deep it calls itself. */
function callersOf(id: number): Set<string> {
  const names = new Set<string>();
  for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
    const frame = frames.get(at);
    if (frame !== undefined && placeOf(frame).startsWith('dist/')) names.add(nameOf(frame));
  }
  return names;
}

function printTop(title: string, sums: ReadonlyMap<string, number>): void {
  print(`\n${title}`);
  const top = [...sums].toSorted(([, a], [, b]) => b - a).slice(0, Number(rows));
  printTable(
    ['%', 'ms', ''],
    top.map(([key, us]) => [((us / busyUs) * 100).toFixed(1), (us / 1000).toFixed(0), key]),
    2,
  );
}
