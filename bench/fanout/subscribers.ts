import { setTimeout as delay } from 'node:timers/promises';
import WebSocket from 'ws';
import { costsOf } from '../support/process-costs.ts';

const WATCH = `subscription Watch($id: ID!) { jobProgress(id: $id) {
  type newSegments { index startMs endMs text }
  job { status revision progress { fraction processedSeconds totalSeconds segmentCount } } } }`;
/** Subscriptions that are opened at once. */
const BATCH = 50;

export interface Fanout {
  readonly subscribers: number;
  readonly events: number;
  readonly seconds: number;
  readonly cpuMs: number;
}

/** Events that reach so many subscribers of one job, each on a websocket of its own, and the server's CPU meanwhile. */
export async function measureFanout(
  url: string,
  serverPid: number,
  jobId: string,
  { subscribers, seconds }: { readonly subscribers: number; readonly seconds: number },
): Promise<Fanout> {
  const counter = { events: 0 };
  const sockets: WebSocket[] = [];
  try {
    while (sockets.length < subscribers) {
      const count = Math.min(BATCH, subscribers - sockets.length);
      sockets.push(...(await Promise.all(Array.from({ length: count }, () => open(url, jobId, counter)))));
    }
    await delay(1000);
    const before = await costsOf(serverPid);
    counter.events = 0;
    const begunAt = performance.now();
    await delay(seconds * 1000);
    const after = await costsOf(serverPid);
    const took = (performance.now() - begunAt) / 1000;
    return { subscribers, events: counter.events, seconds: took, cpuMs: after.cpuMs - before.cpuMs };
  } finally {
    for (const socket of sockets) socket.terminate();
  }
}

/** The protocol by hand, since a client library costs more than what is measured. Resolves with the first event. */
function open(url: string, jobId: string, counter: { events: number }): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/graphql`, 'graphql-transport-ws');
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('open', () => socket.send('{"type":"connection_init"}'));
    socket.on('message', (data) => {
      const { type, payload } = JSON.parse(String(data));
      switch (type) {
        case 'connection_ack':
          socket.send(
            JSON.stringify({
              id: '1',
              type: 'subscribe',
              payload: { query: WATCH, variables: { id: jobId } },
            }),
          );
          return;
        case 'next':
          if (!payload.data) return reject(new Error(JSON.stringify(payload)));
          counter.events += 1;
          return resolve(socket);
        case 'error':
          return reject(new Error(JSON.stringify(payload)));
      }
    });
  });
}
