// Builds whisper-cli for an image: `node scripts/build-whisper.mjs <file>`, for any CPU with AVX2.
// What runs on this machine only is built by the worker itself, with this machine's instructions.
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildWhisperCli } from '../dist/worker/engines/whisper/build-whisper.js';

const [target] = process.argv.slice(2);
if (target === undefined) throw new Error('usage: node scripts/build-whisper.mjs <file>');
const cacheDirectory = await mkdtemp(join(tmpdir(), 'build-whisper-'));
try {
  const onStatus = (text) => process.stdout.write(`${text}\n`);
  const built = await buildWhisperCli(
    { target: 'portable', cacheDirectory, onStatus },
    new AbortController().signal,
  );
  await copyFile(built, target);
} finally {
  await rm(cacheDirectory, { recursive: true, force: true });
}
