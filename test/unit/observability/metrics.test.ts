import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createLogger } from '../../../src/observability/logger.ts';
import { METRICS, Metrics } from '../../../src/observability/metrics.ts';

const log = createLogger('test', 'silent');
const none = { live: () => [], stored: async () => [] };

test('shows counters and current values', async () => {
  const metrics = new Metrics(log);
  metrics.eventsProjected(5, 2);
  metrics.taskPublished('whisper');
  metrics.requestEnded('graphql', 200, 0.01);
  metrics.requestEnded('graphql', 200, null);
  metrics.measureWebSockets(() => 3);
  metrics.measure({
    live: () => [{ name: 'transcription_engine_available', labels: ['deepgram'], value: 0 }],
    stored: async () => [{ name: 'transcription_jobs', labels: ['whisper', 'QUEUED'], value: 7 }],
  });

  const { contentType, body } = await metrics.text();

  expect(contentType).toMatch(/^text\/plain/);
  expect(body.split('\n')).toEqual(
    expect.arrayContaining([
      'transcription_events_projected_total 3',
      'transcription_events_quarantined_total 2',
      'transcription_tasks_published_total{queue="whisper"} 1',
      'transcription_http_requests_total{route="graphql",status="200"} 2',
      'transcription_http_request_duration_seconds_count{route="graphql"} 1',
      'transcription_websocket_connections 3',
      'transcription_engine_available{queue="deepgram"} 0',
      'transcription_jobs{queue="whisper",status="QUEUED"} 7',
    ]),
  );
  expect(body).toContain('process_resident_memory_bytes ');
});

test('queries the database once for many scrapes', async () => {
  const metrics = new Metrics(log);
  let asked = 0;
  const stored = async () => {
    asked += 1;
    return [];
  };
  metrics.measure({ ...none, stored });

  await Promise.all([metrics.text(), metrics.text()]);
  await metrics.text();

  expect(asked).toBe(1);
});

test('leaves out the figures of a database that is away', async () => {
  const metrics = new Metrics(log);
  metrics.measure({ ...none, stored: () => Promise.reject(new Error('away')) });

  const { body } = await metrics.text();

  expect(body).not.toMatch(/^transcription_jobs\{/m);
  expect(body).toMatch(/^nodejs_version_info/m);
});

test('has every metric in docs/operations.md', () => {
  const document = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8');

  for (const name of Object.keys(METRICS)) expect(document).toContain(`\`${name}\``);
});
