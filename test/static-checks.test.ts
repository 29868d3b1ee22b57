import { execa } from 'execa';
import { describe, it } from 'vitest';

/** On failure the error holds what the tool printed. */
describe('the sources', () => {
  it.each([
    { tool: 'biome', args: ['check', '--error-on-warnings', '.'], finds: 'format and lint' },
    { tool: 'tsc', args: ['--noEmit'], finds: 'types' },
    { tool: 'knip', args: [], finds: 'unused files, exports and dependencies' },
  ])('pass $tool: $finds', async ({ tool, args }) => {
    await execa(tool, args, { preferLocal: true, all: true });
  });
});
