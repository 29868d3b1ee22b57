import { type FileHandle, open, rename, stat } from 'node:fs/promises';

const ROTATE_BYTES = 10 * 1024 * 1024;
const TAIL_BYTES = 16 * 1024;
const TAIL_LINES = 12;

/** Opens a log file for appending. A large one is renamed to `.1` first. */
export async function openLogFile(path: string): Promise<FileHandle> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  );
  if (size > ROTATE_BYTES) await rename(path, `${path}.1`);
  return open(path, 'a', 0o600);
}

/** The last lines of a log; of JSON lines, the message and the error. */
export async function lastLines(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(TAIL_BYTES), 0, TAIL_BYTES, start);
    const lines = buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n');
    return lines.slice(-TAIL_LINES).map(readable).join('\n');
  } finally {
    await file.close();
  }
}

function readable(line: string): string {
  if (!line.startsWith('{')) return `  ${line}`;
  try {
    const { msg, err } = JSON.parse(line) as { msg?: string; err?: { message?: string } };
    return `  ${[msg, err?.message].filter(Boolean).join(': ')}`;
  } catch {
    return `  ${line}`;
  }
}
