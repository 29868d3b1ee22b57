import { v7 as uuidv7 } from 'uuid';
import type { Environment } from './domain/environment.ts';

export const DAY_MS = 86_400_000;

/** The real clock, chance and ids. */
export const environment: Environment = { now: () => new Date(), random: Math.random, uuid: uuidv7 };
