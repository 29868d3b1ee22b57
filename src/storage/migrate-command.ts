import { readServerConfig } from '../config/config.ts';
import { createLogger } from '../observability/logger.ts';
import { migrate } from './migrate.ts';

const config = readServerConfig(process.env);
await migrate(config.DATABASE_DIRECT_URL ?? config.DATABASE_URL, createLogger('migrate', config.LOG_LEVEL));
