import { randomBytes } from 'node:crypto';
import type { Database } from './database.ts';

/** A secret that all servers of one database share; the first call creates it. 256 bits, base64url. */
export async function sharedSecret(database: Database, name: string): Promise<string> {
  const made = randomBytes(32).toString('base64url');
  await database.query('INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING', [
    name,
    made,
  ]);
  const [row]: { value: string }[] = await database.query('SELECT value FROM secrets WHERE name = $1', [
    name,
  ]);
  if (row === undefined) throw new Error(`secret ${name} was removed while it was read`);
  return row.value;
}
