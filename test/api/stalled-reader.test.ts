import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { JobProgressEvent } from '../../src/live/watch-job.ts';
import { JOB_ID } from '../support/builders.ts';
import { type Edge, eventually, startEdge } from '../support/edge.ts';
import { aProgressEvent } from '../support/fake-application.ts';
import { TransportDialogue } from '../support/transport-dialogue.ts';

const WATCH = `subscription { jobProgress(id: "${JOB_ID}") { cursor newSegments { text } } }`;
const EVENT_BYTES = 16 * 1024;
const MAX_UNSENT_BYTES = 1024 * 1024;
/** What the kernel's buffers on both sides may hold in addition. */
const KERNEL_BYTES = 16 * 1024 * 1024;

/** Gives an event on every request and counts the requests. */
class EndlessSource {
  read = 0;
  open = 0;

  async *watch(signal: AbortSignal): AsyncGenerator<JobProgressEvent> {
    this.open += 1;
    try {
      while (!signal.aborted) {
        this.read += 1;
        const segment = { index: 0, startMs: 0, endMs: 1, speaker: null, confidence: null, words: null };
        yield aProgressEvent({ newSegments: [{ ...segment, text: 'x'.repeat(EVENT_BYTES) }] });
        // Yields to the event loop, as a real source does while it waits for the next event.
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      this.open -= 1;
    }
  }
}

let edge: Edge;
afterEach(() => edge.close());

/** The reader stops reading; the number of events taken from the source stays constant once every buffer is full. */
async function readUntilStill(source: EndlessSource): Promise<number> {
  let seen = -1;
  let since = Date.now();
  return eventually(
    () => source.read,
    (read) => {
      if (read !== seen) [seen, since] = [read, Date.now()];
      return Date.now() - since > 300;
    },
    30_000,
  );
}

describe('a reader that stops reading', () => {
  it('fills one bounded buffer, does not delay other sockets, and is closed with a retryable code', async () => {
    const source = new EndlessSource();
    edge = await startEdge({
      api: { jobs: { watch: (_input, signal) => source.watch(signal) } },
      limits: { webSocket: { maxUnsentBytes: MAX_UNSENT_BYTES, stallMs: 1500 } },
    });
    const stalled = await TransportDialogue.open(edge.webSocketUrl);
    stalled.socket.pause();
    stalled.subscribe('1', WATCH);

    const readBytes = (await readUntilStill(source)) * EVENT_BYTES;
    const lively = await TransportDialogue.open(edge.webSocketUrl);
    lively.subscribe('1', WATCH);
    for (let count = 0; count < 100; count++) await lively.hear('next', '1');
    lively.socket.close();
    await eventually(
      () => source.open,
      (open) => open === 0,
    );
    stalled.socket.resume();

    expect(readBytes).toBeGreaterThanOrEqual(MAX_UNSENT_BYTES);
    expect(readBytes).toBeLessThan(MAX_UNSENT_BYTES + KERNEL_BYTES);
    expect([1013, 1006]).toContain((await stalled.closed).code);
  });

  it('slows only its own stream of server-sent events, and is disconnected', async () => {
    const source = new EndlessSource();
    edge = await startEdge({
      api: { jobs: { watch: (_input, signal) => source.watch(signal) } },
      limits: { stallMs: 1500 },
    });
    const stalled = openEventStream(edge);
    const dropped = once(stalled, 'close');
    stalled.once('readable', () => stalled.pause());

    const readBytes = (await readUntilStill(source)) * EVENT_BYTES;
    const health = await fetch(`${edge.url}/health/live`);
    await eventually(
      () => source.open,
      (open) => open === 0,
    );
    stalled.resume();
    await dropped;

    expect(readBytes).toBeLessThan(KERNEL_BYTES);
    expect(health.status).toBe(200);
  });
});

function openEventStream({ url }: Edge): Socket {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  // The client sees the disconnect as a reset.
  socket.on('error', () => {});
  const body = JSON.stringify({ query: WATCH });
  socket.write(
    `POST /graphql HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`,
  );
  return socket;
}
