/** A service this program started as a child process for a machine that has none. */
export interface LocalService {
  readonly url: string;
  readonly pid: number;
  readonly port: number;
  /** Resolves, never rejects, once the process is gone for whatever reason; says how it ended. */
  readonly exited: Promise<string>;
  /** Ends it in good order; returns when it is gone. Safe to call twice. */
  stop(): Promise<void>;
  /** SIGKILL, as a crash would; the data stays and the next start recovers it. */
  kill(): Promise<void>;
}

/** A local service can't be started; the message names the cause and what to do about it. */
export class LocalServiceError extends Error {
  override readonly name = 'LocalServiceError';
}
