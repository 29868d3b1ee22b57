import type { ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import type { WebSocket } from 'ws';

export interface StallLimits {
  /** Unsent bytes above which a client counts as stalled. */
  readonly maxUnsentBytes: number;
  /** How long it may stay stalled. */
  readonly stallMs: number;
}

/** WebSocket close code registry: try again later. Clients reconnect with their cursor. */
const TRY_AGAIN_LATER = 1013;
const CLOSE_FRAME_MS = 1000;

/**
 * Sends over one socket. Up to `maxUnsentBytes` may wait in memory; above, `send` waits until its message is written,
 * which slows the event source down. A client that stays stalled is disconnected.
 */
export class BoundedSender {
  readonly #socket: WebSocket;
  readonly #limits: StallLimits;
  #stallTimer: NodeJS.Timeout | undefined;
  /** Number of written messages, which shows that the client is alive. */
  sentCount = 0;

  constructor(socket: WebSocket, limits: StallLimits) {
    this.#socket = socket;
    this.#limits = limits;
    socket.once('close', () => clearTimeout(this.#stallTimer));
  }

  send(data: string): Promise<void> {
    const socket = this.#socket;
    if (socket.readyState !== socket.OPEN) return Promise.resolve();
    const written = this.#write(data);
    this.#watch();
    return socket.bufferedAmount > this.#limits.maxUnsentBytes ? written : Promise.resolve();
  }

  async #write(data: string): Promise<void> {
    const send = promisify((done: (error?: Error | null) => void) => this.#socket.send(data, done));
    // A failed write means that the socket is closing, which ends its operations.
    await send().catch(() => undefined);
    this.sentCount += 1;
    this.#watch();
  }

  #watch(): void {
    if (this.#socket.bufferedAmount <= this.#limits.maxUnsentBytes) {
      clearTimeout(this.#stallTimer);
      this.#stallTimer = undefined;
      return;
    }
    this.#stallTimer ??= setTimeout(() => {
      this.#socket.close(TRY_AGAIN_LATER, 'Reader too slow');
      // The close frame waits behind the unsent messages.
      setTimeout(() => this.#socket.terminate(), CLOSE_FRAME_MS).unref();
    }, this.#limits.stallMs);
  }
}

const CHECKS_PER_STALL = 6;

/** Closes the connection of a client that reads nothing of a response for `stallMs`. */
export function dropStalledReader(res: ServerResponse, stallMs: number): void {
  let sentBytes = -1;
  let idleChecks = 0;
  const timer = setInterval(() => {
    const isStuck = res.writableNeedDrain && res.socket?.bytesWritten === sentBytes;
    idleChecks = isStuck ? idleChecks + 1 : 0;
    sentBytes = res.socket?.bytesWritten ?? -1;
    if (idleChecks >= CHECKS_PER_STALL) res.destroy();
  }, stallMs / CHECKS_PER_STALL);
  timer.unref();
  res.once('close', () => clearInterval(timer));
}
