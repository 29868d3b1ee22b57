import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { TallyReporter } from './support/tally-reporter.ts';

const QUICK = ['test/unit/**/*.test.ts', 'test/architecture.test.ts'];

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  // graphql has no exports map: without this a test gets another copy than the packages it tests.
  resolve: { alias: [{ find: /^graphql$/, replacement: 'graphql/index.js' }] },
  test: {
    pool: 'forks',
    reporters: ['default', new TallyReporter()],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 30_000,
    projects: [
      { extends: true, test: { name: 'unit', include: QUICK, testTimeout: 10_000 } },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/**/*.test.ts'],
          exclude: QUICK,
          globalSetup: ['test/support/global-setup.ts'],
        },
      },
    ],
  },
});
