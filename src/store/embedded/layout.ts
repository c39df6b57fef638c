import { createHash } from 'node:crypto';
import { chmod, chown, lstat, mkdir, readFile, realpath, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { Failure } from '../../errors.ts';
import type { World } from '../../world.ts';
import { canEnter, chooseAccount } from './account.ts';
import type { Account } from './types.ts';

/** Where root keeps a server whose account cannot reach the data folder (a private home, say). */
const REACHABLE_ROOT = '/var/lib/penstock';
/** Longest socket path that every system takes is 103 bytes; the rest is the file name. */
const LONGEST_SOCKET_FOLDER = 80;

/** The folders of one embedded server; everything that outlives a process is found by them. */
export interface Layout {
  readonly dataDir: string;
  /** Owned by the account that runs the server, mode 0700. */
  readonly serverDir: string;
  readonly clusterDir: string;
  readonly logFile: string;
  readonly passwordFile: string;
  /** null on Windows. */
  readonly socketDir: string | null;
  readonly account: Account | null;
}

/** Makes the folders of a server, or finds those made before. */
export async function prepareLayout(dataDir: string, world: World): Promise<Layout> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const realDataDir = await realpath(dataDir);
  const account = await chooseAccount(realDataDir);
  const serverDir = await placeServer(realDataDir, account, world);
  await own(serverDir, account);
  const layout = layoutOf(realDataDir, serverDir, account);
  if (layout.socketDir) await prepareSocketFolder(layout.socketDir, account);
  return layout;
}

/** The folders of a server that exists already; undefined when none was ever started on this data folder. */
export async function findLayout(dataDir: string): Promise<Layout | undefined> {
  const realDataDir = await realpath(dataDir).catch(() => undefined);
  if (realDataDir === undefined) return undefined;
  const serverDir = (await readLocation(realDataDir)) ?? join(realDataDir, 'postgres');
  return layoutOf(realDataDir, serverDir, null);
}

/** The folders of the embedded server of a data folder, socket and cluster: for nobody but Penstock itself. */
export async function findServerFolders(dataDir: string): Promise<readonly string[]> {
  const layout = await findLayout(dataDir);
  if (!layout) return [];
  return layout.socketDir === null ? [layout.serverDir] : [layout.serverDir, layout.socketDir];
}

function layoutOf(dataDir: string, serverDir: string, account: Account | null): Layout {
  const clusterDir = join(serverDir, 'cluster');
  return {
    dataDir,
    serverDir,
    clusterDir,
    logFile: join(serverDir, 'server.log'),
    passwordFile: join(serverDir, 'password'),
    socketDir: process.platform === 'win32' ? null : socketFolder(clusterDir),
    account,
  };
}

async function placeServer(dataDir: string, account: Account | null, world: World): Promise<string> {
  const known = await readLocation(dataDir);
  if (known !== undefined) return known;
  const inside = join(dataDir, 'postgres');
  if (account === null) return inside;
  await letThrough(dataDir, account);
  if (await canEnter(account, dataDir)) return inside;
  const outside = join(REACHABLE_ROOT, world.random(8).toString('hex'));
  await mkdir(REACHABLE_ROOT, { recursive: true, mode: 0o755 });
  if (!(await canEnter(account, REACHABLE_ROOT))) {
    throw new Failure('configuration_invalid', `the account that runs PostgreSQL cannot enter the folder ${dataDir}`, {
      advice: 'Choose a data folder that other users may walk through, or start Penstock as an ordinary user.',
    });
  }
  await writeFile(locationFile(dataDir), outside, { mode: 0o600 });
  return outside;
}

/**
 * Opens root's own closed folder to the one group of the account, for walking through only; under the temporary folder
 * those above it as well, since they are made and removed together with it.
 */
async function letThrough(dataDir: string, account: Account): Promise<void> {
  const temporary = await realpath(tmpdir());
  for (let at = dataDir; ; at = dirname(at)) {
    const { uid, mode } = await lstat(at);
    if (uid === 0 && (mode & 0o077) === 0) {
      await chown(at, 0, account.gid);
      await chmod(at, 0o710);
    }
    const parent = dirname(at);
    if (parent === temporary || !parent.startsWith(temporary + sep)) return;
  }
}

const locationFile = (dataDir: string): string => join(dataDir, 'postgres.location');

async function readLocation(dataDir: string): Promise<string | undefined> {
  const text = await readFile(locationFile(dataDir), 'utf8').catch(() => '');
  return text.trim() || undefined;
}

async function own(folder: string, account: Account | null): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (account) await chown(folder, account.uid, account.gid);
}

/** Short whatever the length of the data path, and the same for every process on the same data. */
function socketFolder(clusterDir: string): string {
  const base = Buffer.byteLength(tmpdir()) > LONGEST_SOCKET_FOLDER - 25 ? '/tmp' : tmpdir();
  return join(base, `penstock-${createHash('sha256').update(clusterDir).digest('hex').slice(0, 16)}`);
}

/** The folder is what keeps other users out of a server that trusts its socket: a foreign one is refused. */
async function prepareSocketFolder(folder: string, account: Account | null): Promise<void> {
  await mkdir(folder, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const found = await lstat(folder);
  const wanted = account?.uid ?? process.getuid?.();
  const ours = found.uid === wanted || (found.uid === 0 && process.getuid?.() === 0);
  if (!found.isDirectory() || !ours) {
    throw new Failure('configuration_invalid', `the socket folder ${folder} belongs to another user`, {
      advice: 'Remove that folder, or set TMPDIR to a folder of your own.',
    });
  }
  await chmod(folder, 0o700);
  if (account) await chown(folder, account.uid, account.gid);
}
