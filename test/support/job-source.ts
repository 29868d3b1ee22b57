import type { JobProgressEvent } from '../../src/live/watch-job.ts';
import { JOB_ID } from './builders.ts';
import { aJobView, aProgressEvent } from './fake-application.ts';

/** Watches the job of `VARIABLES`. */
export const WATCH = `subscription Watch($id: ID!, $after: String) {
  jobProgress(id: $id, after: $after) { type cursor newSegments { index text } job { status } }
}`;
export const VARIABLES = { id: JOB_ID };

/** A job watched by `watching` readers, whose events a test releases one at a time. */
export class Source {
  watching = 0;
  #events: JobProgressEvent[] = [];
  #wakes = new Set<() => void>();

  push(event: Partial<JobProgressEvent> = {}): void {
    this.#events.push(aProgressEvent(event));
    for (const wake of this.#wakes) wake();
  }

  async *watch(signal: AbortSignal): AsyncGenerator<JobProgressEvent> {
    this.watching += 1;
    try {
      for (let next = 0; !signal.aborted; ) {
        const event = this.#events[next];
        if (event === undefined) {
          await new Promise<void>((resolve) => {
            this.#wakes.add(resolve);
            signal.addEventListener('abort', () => resolve(), { once: true });
          });
          continue;
        }
        next += 1;
        yield event;
        if (event.job.status === 'COMPLETED') return;
      }
    } finally {
      this.watching -= 1;
    }
  }
}

export const DONE = { type: 'STATUS', job: aJobView({ status: 'COMPLETED' }) } as const;
