/** The clock, randomness and ids, so that tests can hold them still. */
export interface Environment {
  now(): Date;
  /** From 0 (included) to 1 (excluded). */
  random(): number;
  uuid(): string;
}
