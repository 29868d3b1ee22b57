import { lanesOf } from '../src/contract/subjects.ts';
import type { JobPriority, QueueName } from '../src/domain/vocabulary.ts';

/** One sweep in so many begins with the least urgent lane, so that it never starves. */
const REVERSED_EVERY = 10;

/**
 * In which order one sweep pulls from the lanes of a queue: from the most to the least urgent; now and then the other
 * way round; and for an idle worker that was woken, first from the lane that woke it, since the others were empty.
 *
 * @param sweep The number of the sweep, from 1.
 */
export function laneOrder(
  queue: QueueName,
  sweep: number,
  woken: JobPriority | null,
): readonly JobPriority[] {
  const lanes = lanesOf(queue).map(({ priority }) => priority);
  if (woken !== null) return [woken, ...lanes.filter((priority) => priority !== woken)];
  return sweep % REVERSED_EVERY === 0 ? lanes.toReversed() : lanes;
}
