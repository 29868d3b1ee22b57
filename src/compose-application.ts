import { createHash } from 'node:crypto';
import type { Application } from './app/application.ts';
import { createApplication } from './app/create-application.ts';
import { followQueue, lifecyclePolicy } from './compose-background.ts';
import { DAY_MS, environment } from './compose-environment.ts';
import type { Parts } from './compose-parts.ts';
import type { LeaderWork } from './leader/leader-work.ts';
import { withLiveProgress } from './live/live-progress.ts';
import { watchJob, watchSegments } from './live/watch-job.ts';
import type { Broker } from './messaging/broker.ts';
import { urlProblem } from './network/url-guard.ts';
import { atMost } from './process/at-most.ts';
import { claimUpload, createUpload, findUploads } from './uploads/uploads.ts';

/** Each holds a page of segments, and the database's time is for other work too. */
const MAX_EXPORTS = 4;
const MAX_WAITING_EXPORTS = 1000;

export function composeApplication(parts: Parts, broker: Broker, leader: LeaderWork): Application {
  const { config, log, storage, edge, live } = parts;
  const { hub, registry } = live;
  const { uploads, links } = edge;
  return createApplication({
    ...storage,
    ...{ environment, broker },
    lifecycle: lifecyclePolicy(config),
    policy: { maxAttempts: config.MAX_ATTEMPTS, defaultEngines: config.DEFAULT_ENGINES },
    claimUpload: async (by, id) => {
      const until = new Date(Date.now() + config.RETENTION_DAYS * DAY_MS);
      const { filename, contentType, sizeBytes, storedSha256 } = await claimUpload(uploads, by, id, until);
      return { filename, contentType, sizeBytes, sha256: storedSha256 };
    },
    urlProblem: (url) => urlProblem(url, config.AUDIO_ALLOWED_NETWORKS),
    hash: (text) => createHash('sha256').update(text).digest('hex'),
    now: environment.now,
    startHash: () => {
      const hash = createHash('sha256');
      return { update: (text) => void hash.update(text), hex: () => hash.digest('hex') };
    },
    limited: atMost(MAX_EXPORTS, MAX_WAITING_EXPORTS),
    exportUrl: (jobId, request, expiresAt) => links.signedExportUrl(jobId, request, expiresAt),
    uploads: {
      createUpload: (by, input) => createUpload(uploads, by, input),
      findUploads: (by, ids) => findUploads(uploads, by, ids),
    },
    watch: {
      watchJob: (by, input, signal) => watchJob({ hub, reader: storage.reader }, by, input, signal),
      watchSegments: (by, input, signal) => watchSegments({ hub, reader: storage.reader }, by, input, signal),
    },
    live: (view) =>
      withLiveProgress(view, { latest: hub.progressOf(view.id), checkpointMs: 0, segmentCount: 0 }),
    workers: {
      online: (queue) => registry.live(queue).length,
      busy: (queue) => registry.live(queue).filter((worker) => worker.busy > 0).length,
      engineAvailable: (queue) => {
        const workers = registry.live(queue);
        return workers.length === 0 || workers.some((worker) => worker.engineAvailable);
      },
    },
    queueChanged: (queue) => followQueue(queue, parts, broker, leader),
    brokerFailed: (jobId, err) => log.warn({ err, jobId }, 'a cancel waits for the broker'),
  });
}
