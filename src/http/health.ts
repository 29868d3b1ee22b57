/** The state of each part of the service; `ready` is false while requests would fail. */
export interface Health {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, string>>;
}

/** Ready means that jobs are accepted, which needs the database alone. */
export async function checkHealth(
  database: { answers(): Promise<boolean> },
  broker: { readonly connected: boolean },
): Promise<Health> {
  const ready = await database.answers();
  return {
    ready,
    checks: {
      database: ready ? 'ok' : 'unreachable',
      broker: broker.connected ? 'ok' : 'unreachable',
    },
  };
}
