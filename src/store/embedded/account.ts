import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Account } from './types.ts';

interface KnownUser extends Account {
  readonly name: string;
}

/**
 * The account that must run the server: null = this process's own. PostgreSQL refuses to run as root, so root hands it
 * to the owner of the data folder, else to the user `postgres`, else to `nobody`. Only users with a passwd entry count:
 * `initdb` fails for others.
 */
export async function chooseAccount(dataDir: string): Promise<Account | null> {
  if (process.getuid?.() !== 0) return null;
  const users = await knownUsers();
  const owner = (await stat(dataDir)).uid;
  const chosen =
    users.find((user) => user.uid === owner && owner !== 0) ??
    users.find((user) => user.name === 'postgres') ??
    users.find((user) => user.name === 'nobody');
  return chosen ? { uid: chosen.uid, gid: chosen.gid } : { uid: 65534, gid: 65534 };
}

async function knownUsers(): Promise<KnownUser[]> {
  const text = await readFile('/etc/passwd', 'utf8').catch(() => '');
  return text
    .split('\n')
    .map((line) => line.split(':'))
    .filter((fields) => fields.length >= 4)
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
}

/** Whether `account` may walk through `folder` and every folder above it. Access lists beyond the mode are not read. */
export async function canEnter(account: Account, folder: string): Promise<boolean> {
  for (let at = folder; ; at = dirname(at)) {
    const { mode, uid, gid } = await stat(at);
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (at === dirname(at)) return true;
  }
}
