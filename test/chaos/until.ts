import { setTimeout as delay } from 'node:timers/promises';

/** Polls until the condition holds or the deadline passes; the audit then reports what does not hold. */
export async function until(holds: () => Promise<boolean>, deadline: number): Promise<void> {
  while (Date.now() < deadline) {
    if (await holds().catch(() => false)) return;
    await delay(1000);
  }
}
