import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Queryable } from '../../store/index.ts';
import { findRunIds } from './tables.ts';

const BATCH = 500;

/** Refused rows of a run, in its folder. */
export const QUARANTINE_FILE = 'quarantine.ndjson';

/** Where the files of a run are kept, its refused rows above all. */
export function runFolderOf(dataDir: string, runId: string): string {
  return join(dataDir, 'runs', runId);
}

/** Removes the folders of runs that are past their retention; answers how many. Harmless while runs are under way. */
export async function removeOldRunFolders(db: Queryable, dataDir: string): Promise<number> {
  const names = await readdir(join(dataDir, 'runs')).catch(() => []);
  const folders = names.filter((name) => /^r_[0-9A-Z]+$/.test(name));
  let removed = 0;
  for (let start = 0; start < folders.length; start += BATCH) {
    const batch = folders.slice(start, start + BATCH);
    const known = await findRunIds(db, batch);
    for (const name of batch.filter((candidate) => !known.has(candidate))) {
      await rm(runFolderOf(dataDir, name), { recursive: true, force: true });
      removed++;
    }
  }
  return removed;
}
