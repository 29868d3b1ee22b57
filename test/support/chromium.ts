import { execa } from 'execa';
import { findExecutable, isExecutable } from '../../src/process/find-executable.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const OUTSIDE_PATH = [
  '/snap/bin/chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** A browser for playwright-core: `CHROMIUM_BIN`, PATH, macOS applications, else, as root, Debian's package. */
export async function findChromium(): Promise<string> {
  if (process.env.CHROMIUM_BIN) return process.env.CHROMIUM_BIN;
  const installed = await findInstalled();
  if (installed !== null) return installed;
  if (process.getuid?.() === 0 && (await findExecutable('apt-get')) !== null) {
    const apt = (args: readonly string[]) =>
      execa('apt-get', ['-qq', ...args], {
        env: { DEBIAN_FRONTEND: 'noninteractive' },
        stdin: 'ignore',
        reject: false,
        timeout: 300_000,
      });
    await apt(['update']);
    await apt(['install', '--yes', '--no-install-recommends', 'chromium']);
    const fresh = await findInstalled();
    if (fresh !== null) return fresh;
  }
  throw new Error(
    'The browser tests need Chromium. Install it (Debian, Ubuntu: apt-get install chromium; macOS: brew install --cask chromium), or set CHROMIUM_BIN.',
  );
}

async function findInstalled(): Promise<string | null> {
  for (const name of NAMES) {
    const path = await findExecutable(name);
    if (path !== null) return path;
  }
  for (const path of OUTSIDE_PATH) {
    if (await isExecutable(path)) return path;
  }
  return null;
}
