import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { withDuration } from '../../../../worker/audio/stream-duration.ts';
import { WAV_BYTES_PER_MS, wavHeader } from '../../../../worker/audio/wav.ts';

const wav = Buffer.concat([wavHeader(1500 * WAV_BYTES_PER_MS), Buffer.alloc(1500 * WAV_BYTES_PER_MS, 7)]);

async function pass(bytes: Buffer, sizeBytes: number | null, step: number) {
  const told: number[] = [];
  const chunks = Array.from({ length: Math.ceil(bytes.length / step) }, (_, at) =>
    bytes.subarray(at * step, (at + 1) * step),
  );
  const stream = withDuration(Readable.from(chunks), sizeBytes, (durationMs) => void told.push(durationMs));
  return { told, passed: await buffer(stream) };
}

test.each([7, 44, 65_536])('the duration in a WAV header is found in chunks of %i bytes', async (step) => {
  const { told, passed } = await pass(wav, wav.length, step);

  expect(told).toEqual([1500]);
  expect(passed.equals(wav)).toBe(true);
});

test('a missing header, or one that claims too much, gives no duration, and the stream is unchanged', async () => {
  expect((await pass(wav, wav.length - 1, 1000)).told).toEqual([]);
  const other = Buffer.from('ID3 and then an mp3 '.repeat(100));
  const { told, passed } = await pass(other, null, 3);
  expect(told).toEqual([]);
  expect(passed.equals(other)).toBe(true);
});

test('an error of the source reaches the reader, and a reader that leaves destroys the source', async () => {
  const broken = new Error('broken');
  const failing = new Readable({ read: () => {} });
  const read = buffer(withDuration(failing, null, () => {}));
  failing.destroy(broken);
  await expect(read).rejects.toBe(broken);

  const endless = new Readable({ read: () => {} });
  const closed = new Promise((resolve) => endless.once('close', resolve));
  withDuration(endless, null, () => {}).destroy();
  await closed;
});
