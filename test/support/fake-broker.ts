import type { Broker } from '../../src/messaging/broker.ts';

/** A broker of which a test uses only some methods; every other one rejects. */
export function fakeBroker(change: Partial<Broker> = {}): Broker {
  const unexpected = async () => {
    throw new Error('The test did not expect this call of the broker.');
  };
  return {
    publishTask: unexpected,
    deleteTask: unexpected,
    taskExists: unexpected,
    requestCancel: unexpected,
    endRun: unexpected,
    clearCancel: unexpected,
    attemptForTask: unexpected,
    ...change,
  };
}
