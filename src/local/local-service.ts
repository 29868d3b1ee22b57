/** Something that runs as a child process. */
export interface Running {
  /** Never rejects. Resolves with how it ended, for people. */
  readonly exited: Promise<string>;
  /** Ends it in good order and returns when it is gone. Safe to call twice, and after its end. */
  stop(): Promise<void>;
}

/** A server that was started as a child process, for a machine that has none. */
export interface LocalService extends Running {
  readonly url: string;
  readonly pid: number;
  readonly port: number;
  /** SIGKILL, as a crash would; the data stays and the next start recovers it. */
  kill(): Promise<void>;
}

/** Something cannot be started on this machine; the message names the cause and the remedy. */
export class LocalServiceError extends Error {
  override readonly name = 'LocalServiceError';
}
