import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Heap } from '../../../src/domain/heap.ts';

it('gives its items in order, however they came and although the first ones move back', () => {
  const steps = fc.array(fc.record({ value: fc.nat({ max: 50 }), raisedBy: fc.nat({ max: 20 }) }));
  fc.assert(
    fc.property(steps, (items) => {
      const heap = new Heap<{ value: number }>((a, b) => a.value - b.value);
      for (const { value } of items) heap.add({ value });
      const values = items.map(({ value }) => value).sort((a, b) => a - b);
      for (const { raisedBy } of items) {
        const first = heap.first;
        if (first === undefined) throw new Error('the heap lost an item');
        expect(first.value).toBe(values[0]);
        first.value += raisedBy;
        heap.moveFirst();
        values[0] = first.value;
        values.sort((a, b) => a - b);
      }
      for (const value of values) {
        expect(heap.first?.value).toBe(value);
        heap.removeFirst();
      }
      expect(heap.first).toBeUndefined();
    }),
  );
});
