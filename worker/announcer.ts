import { hostname } from 'node:os';
import { encode } from '../src/contract/codec.ts';
import { PROTOCOL_VERSION, type WorkerAnnouncement } from '../src/contract/messages.ts';
import { announcementSubject } from '../src/contract/subjects.ts';
import { queueOf } from '../src/domain/vocabulary.ts';
import { isConnected, type NatsConnection } from '../src/messaging/connection.ts';
import type { EngineModel, TranscriptionEngine } from './engines/engine.ts';

/** The fields of an announcement that change. */
interface WorkerState {
  readonly status: WorkerAnnouncement['status'];
  readonly busy: number;
  readonly processed: number;
  readonly failed: number;
  readonly realtimeFactor: number | null;
  readonly jobs: readonly string[];
}

export interface AnnouncerOptions {
  readonly nc: NatsConnection;
  readonly workerId: string;
  /** For people; the machine's name by default. */
  readonly name: string | undefined;
  readonly version: string;
  readonly engine: TranscriptionEngine;
  readonly models: readonly EngineModel[];
  readonly slots: number;
  readonly everyMs: number;
  readonly state: () => WorkerState;
}

/** Announces this worker and its state: every few seconds, and at once after a change. */
export class Announcer {
  readonly #options: AnnouncerOptions;
  readonly #startedAt = Date.now();
  #timer: NodeJS.Timeout | null = null;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.announce(), this.#options.everyMs);
    this.announce();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  announce(): void {
    const { nc, workerId, name, version, engine, models, slots, state } = this.#options;
    if (!isConnected(nc) || nc.isDraining()) return;
    const current = state();
    const announcement: WorkerAnnouncement = {
      v: PROTOCOL_VERSION,
      workerId,
      hostname: name ?? hostname(),
      version,
      engine: engine.engine,
      device: engine.device,
      slots,
      models: models.map((model) => ({ ...model, languages: [...model.languages] })),
      startedAt: this.#startedAt,
      engineAvailable: engine.available,
      memoryBytes: process.memoryUsage.rss(),
      ...current,
      jobs: [...current.jobs],
    };
    nc.publish(announcementSubject(queueOf(engine.engine)), encode(announcement));
  }
}
