import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { ApplicationDeps } from '../../src/app/application.ts';
import { SignedLinks } from '../../src/auth/signed-links.ts';
import { readServerConfig } from '../../src/config/config.ts';
import { Hub } from '../../src/live/hub.ts';
import { WorkerRegistry } from '../../src/live/worker-registry.ts';
import { readSnapshots } from '../../src/storage/job-reader.ts';
import { LocalUploadStore } from '../../src/uploads/local-store.ts';
import { UploadRepository } from '../../src/uploads/upload-repository.ts';
import { POLICY } from './builders.ts';
import { fakeBroker } from './fake-broker.ts';
import type { TestStorage } from './storage.ts';

export interface TestDepsOptions extends Partial<Pick<ApplicationDeps, 'broker' | 'reader'>> {
  readonly now?: () => Date;
}

/** What the server builds its application from, with a real database and without NATS. */
export function applicationDeps(storage: TestStorage, options: TestDepsOptions = {}): ApplicationDeps {
  const { now = () => new Date(), broker = fakeBroker(), reader = storage.reader } = options;
  const log = pino({ level: 'silent' });
  const config = readServerConfig({});
  const environment = { now, random: () => 0, uuid: uuidv7 };
  const links = new SignedLinks({ secret: 'test-secret', baseUrl: 'http://service.test', now });
  return {
    ...storage,
    reader,
    broker,
    lanes: { ensureLanes: async () => undefined },
    hub: new Hub({ read: (ids) => readSnapshots(storage.database, ids), log }),
    registry: new WorkerRegistry(storage.models, log),
    uploads: {
      repository: new UploadRepository(storage.database),
      store: new LocalUploadStore(join(tmpdir(), 'no-uploads')),
      ...{ links, environment, config },
    },
    lifecycle: POLICY,
    ...{ links, config, environment, log },
  };
}
