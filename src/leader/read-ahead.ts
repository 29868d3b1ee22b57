import { Bell } from '../process/wait.ts';

export interface ReadAheadOptions {
  readonly signal: AbortSignal;
  /** The most items in memory that the caller has not taken; the source waits then. */
  readonly maxAhead: number;
  readonly maxBatch: number;
}

/**
 * Reads on while the caller works on a batch; each batch is what has arrived since. Ends with the source or with the
 * signal.
 *
 * @throws what the source throws, behind the items before it.
 */
export async function* readAhead<Item>(
  items: AsyncIterable<Item>,
  { signal, maxAhead, maxBatch }: ReadAheadOptions,
): AsyncGenerator<readonly Item[], void, void> {
  const waiting: Item[] = [];
  const arrived = new Bell();
  const taken = new Bell();
  let isReading = true;
  const reading = (async () => {
    for await (const item of items) {
      waiting.push(item);
      arrived.ring();
      while (waiting.length >= maxAhead && !signal.aborted) await taken.wait(signal);
      if (signal.aborted) return;
    }
  })().finally(() => {
    isReading = false;
    arrived.ring();
  });
  reading.catch(() => undefined); // It is thrown below.
  while (!signal.aborted) {
    if (waiting.length > 0) {
      yield waiting.splice(0, maxBatch);
      taken.ring();
    } else if (isReading) await arrived.wait(signal);
    else return await reading;
  }
}
