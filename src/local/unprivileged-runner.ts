import { lchown, readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { LocalServiceError } from './local-service.ts';

/** How to run a program that refuses to be root. */
export interface UnprivilegedRunner {
  readonly prefix: readonly string[];
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** Makes a file or folder the runner's own. */
  own(path: string): Promise<void>;
}

const NOBODY = 65534;
const UNSHARE = ['unshare', '--user', `--map-user=${NOBODY}`, `--map-group=${NOBODY}`, '--'] as const;
const AS_IS: UnprivilegedRunner = { prefix: [], own: async () => undefined };

/**
 * As root: a user namespace in which root is nobody, because the files stay root's and folders that only
 * root may enter stay reachable; else, where a container forbids namespaces, a real other user.
 *
 * @param probe A command that must work for the runner, such as `postgres --version`.
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
      `can't reach ${probe[0]}.\n` +
      'Remedies: run as another user; or put this folder where every user may enter; or set DATABASE_URL to a Postgres that runs already.',
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
