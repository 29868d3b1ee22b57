/**
 * A stand-in for a speech recognizer: prints a line of JSON for each segment of 100 ms that it finds in
 * a file of bytes, one segment a byte. `?` is a byte it works on for ever; a missing file makes it fail.
 */
import { readFileSync } from 'node:fs';

const bytes = readFileSync(process.argv[2]);
for (const [index, byte] of bytes.entries()) {
  if (byte === '?'.charCodeAt(0)) setInterval(() => {}, 1_000_000);
  else
    process.stdout.write(
      `${JSON.stringify({ startMs: index * 100, endMs: index * 100 + 90, text: `byte ${byte}` })}\n`,
    );
}
