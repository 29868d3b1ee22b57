/**
 * Loaded into a process with `--import`: SIGUSR2 starts a CPU profile, the next one ends it and writes it to
 * `PROFILE_DIRECTORY`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { basename, join } from 'node:path';

const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.setSamplingInterval', { interval: 500 });

const directory = process.env.PROFILE_DIRECTORY ?? '.';
const program = basename(process.argv[1] ?? 'node').replace(/\.\w+$/, '');
let running = false;
let written = 0;

process.on('SIGUSR2', () => {
  running = !running;
  if (running) {
    session.post('Profiler.start');
    return;
  }
  session.post('Profiler.stop', (error, result) => {
    if (error !== null) throw error;
    written += 1;
    mkdirSync(directory, { recursive: true });
    writeFileSync(
      join(directory, `${program}-${process.pid}-${written}.cpuprofile`),
      JSON.stringify(result.profile),
    );
  });
});
