import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { jetstream, jetstreamManager, StorageType } from '@nats-io/jetstream';
import { wakeSubject } from '../src/contract/subjects.ts';
import { connectToNats, type NatsConnection } from '../src/messaging/connection.ts';
import { subscribeLive } from '../src/messaging/live.ts';
import { print, printMachine, printTimes } from './support/report.ts';
import { type WholeSystem, withWholeSystem } from './support/whole-system.ts';

/**
 * How long an idle system takes from submit to a worker's start, and a segment from its worker to a websocket.
 *
 *   npm run bench:latency [-- <submits> <segments>]
 */
const [submits = 200, segments = 50] = process.argv.slice(2).map(Number);
const ENGINE = fileURLToPath(new URL('../test/support/scripted-engine.mjs', import.meta.url));
const WARM_UP = 20;
const JOBS_AT_ONCE = 4;
/** Slow enough for each segment to be an event of its own. */
const PACE_MS = 400;
const SUBJECT = 'bench.reference';

/** Milliseconds since 1970, finer than Date.now(). */
const now = (): number => performance.timeOrigin + performance.now();

/** Times of what was heard, for those who learn only later what to ask for. */
class Heard {
  readonly #times = new Map<string, number>();
  readonly #waiting = new Map<string, (at: number) => void>();

  note(what: string, at: number): void {
    this.#times.set(what, at);
    this.#waiting.get(what)?.(at);
  }

  when(what: string): Promise<number> {
    const at = this.#times.get(what);
    return at === undefined
      ? new Promise((resolve) => this.#waiting.set(what, resolve))
      : Promise.resolve(at);
  }
}

await withWholeSystem(
  { workerArgs: ['--engine', ENGINE, '--slots', String(JOBS_AT_ONCE)] },
  async (system) => {
    const nc = await connectToNats({ url: system.natsUrl, name: 'bench', log: system.log });
    try {
      const publish = await openReference(nc);
      printMachine();
      await measureStarts(system, nc, publish);
      await measureSegments(system, nc, publish);
    } finally {
      await nc.close();
    }
  },
);

/** One publish to a stream on disk until it is stored: what the broker alone costs. */
async function openReference(nc: NatsConnection): Promise<() => Promise<number>> {
  const streams = (await jetstreamManager(nc)).streams;
  await streams.add({ name: 'BENCH', subjects: [SUBJECT], storage: StorageType.File });
  const js = jetstream(nc);
  const payload = Buffer.alloc(500, 'x');
  return async () => {
    const sentAt = now();
    await js.publish(SUBJECT, payload);
    return now() - sentAt;
  };
}

function hear(nc: NatsConnection, onEvent: Parameters<typeof subscribeLive>[1]['onEvent']) {
  return subscribeLive(nc, {
    onEvent,
    onProgress: () => {},
    onAnnouncement: () => {},
    onMalformed: (_, error) => {
      throw error;
    },
  });
}

async function measureStarts({ jobs }: WholeSystem, nc: NatsConnection, publish: () => Promise<number>) {
  const heard = new Heard();
  const live = hear(nc, (event) => heard.note(`${event.type} ${event.jobId}`, now()));
  let publishedAt = 0;
  const wakes = nc.subscribe(wakeSubject('whisper'), {
    callback: () => {
      publishedAt = now();
    },
  });
  const reference: number[] = [];
  const answered: number[] = [];
  const ordered: number[] = [];
  const started: number[] = [];
  for (let index = -WARM_UP; index < submits; index += 1) {
    const roundTripMs = await publish();
    const sentAt = now();
    const id = await jobs.accepted({ audio: { url: `https://script.test/start-${index}/1/1000/0` } });
    const answeredAt = now();
    const startedAt = await heard.when(`started ${id}`);
    if (index >= 0) {
      reference.push(roundTripMs);
      answered.push(answeredAt - sentAt);
      ordered.push(publishedAt - sentAt);
      started.push(startedAt - sentAt);
    }
    await heard.when(`completed ${id}`);
    // Idle again: the end is stored, and the worker has looked for more.
    await delay(100 + Math.random() * 100);
  }
  live.stop();
  wakes.unsubscribe();
  print(`Submit to start of the work: ${submits} jobs, one after another`);
  printTimes({ what: 'one JetStream publish, stored (the reference)', valuesMs: reference }, [
    { what: 'submit -> answered', valuesMs: answered },
    { what: 'submit -> task in its lane', valuesMs: ordered },
    { what: 'submit -> "started" stored', valuesMs: started, aimMs: [15, 50] },
  ]);
  print('');
}

async function measureSegments({ jobs }: WholeSystem, nc: NatsConnection, publish: () => Promise<number>) {
  const madeAt = new Map<string, number>();
  const hops: number[] = [];
  const live = hear(nc, (event) => {
    if (event.type !== 'segments') return;
    hops.push(now() - event.at);
    for (const { index } of event.segments) madeAt.set(`${event.jobId} ${index}`, event.at);
  });
  const receivedAt = new Map<string, number>();
  const reference: number[] = [];
  const ids = await Promise.all(
    Array.from({ length: JOBS_AT_ONCE }, (_, job) =>
      jobs.accepted({ audio: { url: `https://script.test/live-${job}/${segments}/1000/${PACE_MS}` } }),
    ),
  );
  await Promise.all(
    ids.map(async (id) => {
      for await (const { newSegments } of jobs.watch(id)) {
        for (const { index } of newSegments) receivedAt.set(`${id} ${index}`, now());
        if (newSegments.length > 0) reference.push(await publish());
      }
    }),
  );
  live.stop();
  const received = [...madeAt].map(([segment, at]) => {
    const seen = receivedAt.get(segment);
    if (seen === undefined) throw new Error(`segment ${segment} never arrived`);
    return seen - at;
  });
  print(
    `Segment from its worker to a websocket: ${received.length} segments of ${JOBS_AT_ONCE} jobs at once`,
  );
  printTimes({ what: 'one JetStream publish, stored (the reference)', valuesMs: reference }, [
    { what: 'worker -> any NATS subscriber', valuesMs: hops },
    { what: 'worker -> websocket', valuesMs: received, aimMs: [3, 15] },
  ]);
}
