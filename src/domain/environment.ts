/** The clock, randomness and ids, which tests replace. */
export interface Environment {
  now(): Date;
  /** From 0 (included) to 1 (excluded). */
  random(): number;
  uuid(): string;
}
