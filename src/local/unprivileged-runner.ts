import { lchown, readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { LocalServiceError } from './local-service.ts';

/** How to run a program that refuses to run as root. */
export interface UnprivilegedRunner {
  readonly prefix: readonly string[];
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Gives a file or folder to the user that the program runs as. */
  own(path: string): Promise<void>;
}

const NOBODY = 65534;
const UNSHARE = ['unshare', '--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`, '--'] as const;
const AS_IS: UnprivilegedRunner = { prefix: [], own: async () => undefined };

/**
 * For root, a user namespace in which root appears as another user: the files still belong to root, and folders that only
 * root can enter stay accessible. Where a container forbids namespaces, another real user.
 *
 * @param probe A command that must work, such as `postgres --version`.
 * @throws LocalServiceError when neither works.
 */
export async function findUnprivilegedRunner(probe: readonly string[]): Promise<UnprivilegedRunner> {
  if (process.getuid?.() !== 0) return AS_IS;
  if (await works([...UNSHARE, ...probe], {})) return { ...AS_IS, prefix: UNSHARE };
  for (const name of ['postgres', 'nobody']) {
    const user = await findUser(name);
    if (user === null || !(await works(probe, user))) continue;
    return { prefix: [], ...user, own: (path) => lchown(path, user.uid, user.gid) };
  }
  throw new LocalServiceError(
    'Postgres refuses to run as root, user namespaces are not allowed here, and the users "postgres" and "nobody" ' +
      `cannot access ${probe[0]}.\n` +
      'Remedies: run as another user; or move this folder to where every user can access it; or set DATABASE_URL to a running Postgres.',
  );
}

async function works(
  command: readonly string[],
  user: { readonly uid?: number; readonly gid?: number },
): Promise<boolean> {
  const [file, ...args] = command;
  if (file === undefined) return false;
  const result = await execa(file, args, { ...user, reject: false, timeout: 10_000 });
  return result.exitCode === 0;
}

async function findUser(name: string): Promise<{ readonly uid: number; readonly gid: number } | null> {
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n');
  const fields = lines.map((line) => line.split(':')).find((line) => line[0] === name);
  const uid = Number(fields?.[2]);
  const gid = Number(fields?.[3]);
  return Number.isInteger(uid) && Number.isInteger(gid) && uid > 0 ? { uid, gid } : null;
}
