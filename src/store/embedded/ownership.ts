import { link, readFile, rename, rm, unlink, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Failure } from '../../errors.ts';
import type { World } from '../../world.ts';
import { isAlive, startOf } from './postmaster.ts';

interface Holder {
  readonly pid: number;
  readonly started: string | undefined;
  readonly host: string;
}

/**
 * Makes this process the one owner of the server in `dataDir` until the returned function is called or the process
 * dies. A living owner is never displaced: that throws `conflict`.
 */
export async function takeOwnership(dataDir: string, world: World): Promise<() => Promise<void>> {
  const file = join(dataDir, 'owner.lock');
  const draft = `${file}.${world.random(6).toString('hex')}`;
  const me: Holder = { pid: process.pid, started: startOf(process.pid), host: hostname() };
  const text = JSON.stringify(me);
  await writeFile(draft, text, { mode: 0o600 });
  try {
    while (!(await tryLink(draft, file))) await removeDead(file, `${draft}.dead`);
  } finally {
    await rm(draft, { force: true });
  }
  return async () => {
    if ((await readFile(file, 'utf8').catch(() => '')) === text) await rm(file, { force: true });
  };
}

async function tryLink(draft: string, file: string): Promise<boolean> {
  try {
    await link(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves a dead owner's lock away. Two may try at once: whoever finds that it moved a living one's puts it back. */
async function removeDead(file: string, aside: string): Promise<void> {
  refuseLiving(await readHolder(file));
  try {
    await rename(file, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    refuseLiving(await readHolder(aside));
  } catch (error) {
    await link(aside, file).catch(() => undefined);
    throw error;
  } finally {
    await unlink(aside);
  }
}

async function readHolder(file: string): Promise<Holder | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  try {
    return JSON.parse(text) as Holder;
  } catch {
    return undefined;
  }
}

function refuseLiving(holder: Holder | undefined): void {
  if (!holder || holder.host !== hostname() || !isAlive(holder.pid)) return;
  if (holder.started !== undefined && holder.started !== startOf(holder.pid)) return;
  throw new Failure('conflict', `another Penstock (process ${holder.pid}) owns this data folder`, {
    advice: 'Stop it first, choose another PENSTOCK_DATA_DIR, or start `penstock worker` or `penstock api` beside it.',
  });
}
