import { setTimeout as delay } from 'node:timers/promises';

/** Polls until it holds or the deadline passes; what does not hold then, the audit tells. */
export async function until(holds: () => Promise<boolean>, deadline: number): Promise<void> {
  while (Date.now() < deadline) {
    if (await holds().catch(() => false)) return;
    await delay(1000);
  }
}
