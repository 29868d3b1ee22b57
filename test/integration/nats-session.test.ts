import { pino } from 'pino';
import { expect, it, onTestFinished } from 'vitest';
import type { NatsConnection } from '../../src/messaging/connection.ts';
import { NatsSession } from '../../src/messaging/session.ts';
import { eventually } from '../support/edge.ts';
import { startTestNats } from '../support/nats.ts';

it('connects again after a connection was closed for good, and ends when it is closed itself', async () => {
  const nats = await startTestNats();
  onTestFinished(() => nats.dispose());
  const log = pino({ level: 'silent' });
  const session = new NatsSession({ url: nats.url, credentialsFile: undefined, name: 'test', log });
  const connections: NatsConnection[] = [];
  session.onConnected((nc) => connections.push(nc));
  const running = session.run();

  await eventually(
    () => connections.length,
    (count) => count === 1,
  );
  await connections[0]?.close();
  await eventually(
    () => connections.length,
    (count) => count === 2,
  );
  const wasConnected = session.connected;
  await session.close();
  await running;

  expect([wasConnected, session.connected]).toEqual([true, false]);
  expect(connections[1]).not.toBe(connections[0]);
});
