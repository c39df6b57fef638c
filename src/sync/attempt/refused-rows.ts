import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { QUARANTINE_FILE, runFolderOf } from './run-folders.ts';

/** The refused rows of a run as NDJSON, one `QuarantineLine` each. */
export interface RefusedRows {
  readonly bytes: number;
  /** The first `bytes` of the file; fewer only when it was removed meanwhile. */
  read(): AsyncIterable<Buffer>;
}

/** What this machine keeps of the rows that a run refused; undefined when it keeps none. `runId` is that of a run. */
export async function openRefusedRows(dataDir: string, runId: string): Promise<RefusedRows | undefined> {
  const path = join(runFolderOf(dataDir, runId), QUARANTINE_FILE);
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile() || found.size === 0) return undefined;
  return { bytes: found.size, read: () => createReadStream(path, { end: found.size - 1 }) };
}
