import type { FaultKind } from './plan.ts';

export interface ChaosOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly jobs: number;
  readonly workers: number;
  readonly natsBinary?: string | undefined;
  /** So many times rarer than usual are faults; 1 by default. */
  readonly ease?: number | undefined;
  /** All kinds by default. */
  readonly faults?: readonly FaultKind[] | undefined;
  /** How long all jobs may take to end after the storm. */
  readonly calmMinutes: number;
  readonly onProgress: (text: string) => void;
}
