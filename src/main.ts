import { ConfigError, readServerConfig } from './config/config.ts';
import { createLogger } from './observability/logger.ts';
import { aborted } from './process/wait.ts';
import { startServer } from './server.ts';
import { PoolerError } from './storage/database.ts';
import { SchemaMismatchError } from './storage/migrate.ts';

/** Exit codes: 0 stopped as asked, 1 failed, 2 misconfigured. */
const MISCONFIGURED = 2;

const stopping = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => stopping.abort());
}

try {
  const config = readServerConfig(process.env);
  const log = createLogger('server', config.LOG_LEVEL);
  process.on('unhandledRejection', (err) => {
    log.fatal({ err }, 'unhandled promise rejection');
    process.exit(1);
  });
  const server = await startServer(config, log);
  process.send?.({ type: 'ready', url: server.url });
  await aborted(stopping.signal);
  await server.stop();
  process.exit(0);
} catch (error) {
  const expected = [ConfigError, PoolerError, SchemaMismatchError].some((type) => error instanceof type);
  process.stderr.write(
    `${expected && error instanceof Error ? error.message : String(error instanceof Error ? error.stack : error)}\n`,
  );
  process.exit(expected ? MISCONFIGURED : 1);
}
