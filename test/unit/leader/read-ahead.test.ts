import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { readAhead } from '../../../src/leader/read-ahead.ts';

const forever = new AbortController().signal;
const options = { signal: forever, maxAhead: 10, maxBatch: 4 };

/** Numbers that are there at once; `taken` counts those that were read. */
function numbers(count: number, error?: Error) {
  const source = {
    taken: 0,
    async *[Symbol.asyncIterator]() {
      for (let n = 1; n <= count; n += 1) {
        source.taken = n;
        yield n;
      }
      if (error !== undefined) throw error;
    },
  };
  return source;
}

async function collect<Item>(batches: AsyncIterable<readonly Item[]>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const batch of batches) {
    expect(batch.length).toBeGreaterThan(0);
    expect(batch.length).toBeLessThanOrEqual(options.maxBatch);
    items.push(...batch);
  }
  return items;
}

describe('readAhead', () => {
  it('gives everything once and in order, in batches', async () => {
    expect(await collect(readAhead(numbers(25), options))).toEqual(
      Array.from({ length: 25 }, (_, n) => n + 1),
    );
  });

  it('reads on while the caller works, but only so far', async () => {
    const source = numbers(100);
    const batches = readAhead(source, options);
    await batches.next();
    await delay(10);

    expect(source.taken).toBeGreaterThan(4);
    expect(source.taken).toBeLessThanOrEqual(options.maxAhead + options.maxBatch);
    await batches.return();
  });

  it('throws the error of the source behind the items before it', async () => {
    const seen: number[] = [];
    const reading = (async () => {
      for await (const batch of readAhead(numbers(5, new Error('broken')), options)) seen.push(...batch);
    })();

    await expect(reading).rejects.toThrow('broken');
    expect(seen).toEqual([1, 2, 3, 4, 5]);
  });

  it('ends with the signal, whether it waits for the source or the caller', async () => {
    const stop = new AbortController();
    async function* silent() {
      yield 1;
      await new Promise(() => {});
    }
    const seen: number[] = [];
    setTimeout(() => stop.abort(), 10);
    for await (const batch of readAhead(silent(), { ...options, signal: stop.signal })) seen.push(...batch);

    expect(seen).toEqual([1]);
  });
});
