import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config.ts';
import { Failure } from '../../errors.ts';
import { killLeftover, type ProcessGroup } from './leftover.ts';
import type { ComponentCall } from './types.ts';

/**
 * Gives a program a fresh, empty folder that only this user may enter, and removes it with all that is in it. A program
 * that a lost attempt has begun is ended, if it still runs on this machine, and not begun again: nobody knows how far it came.
 */
export async function inWorkFolder<T>(
  { dataDir }: Pick<Config, 'dataDir'>,
  { attempt }: ComponentCall,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = join(dataDir, 'work', attempt.task.id);
  const memo = attempt.task.memo as { readonly group?: ProcessGroup | null } | null;
  if (memo !== null) {
    if (memo.group) await killLeftover(memo.group);
    await rm(folder, { recursive: true, force: true });
    throw new Failure('worker_lost', 'Interrupted by a server restart; how far the program came is not known', {
      advice: 'Look at what it has done, then start it again.',
    });
  }
  await attempt.remember({ hasBegun: true });
  await mkdir(join(dataDir, 'work'), { recursive: true, mode: 0o700 });
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
