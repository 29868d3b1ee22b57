import type { FaultKind } from './plan.ts';

export interface ChaosOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly jobs: number;
  readonly workers: number;
  readonly natsBinary?: string | undefined;
  /** Divides the rate of faults; 1 by default. */
  readonly ease?: number | undefined;
  /** All kinds by default. */
  readonly faults?: readonly FaultKind[] | undefined;
  /** The time limit for all jobs to finish after the storm. */
  readonly calmMinutes: number;
  readonly onProgress: (text: string) => void;
}
