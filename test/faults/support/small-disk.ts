import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A place that can be filled up. */
export interface SmallDisk {
  readonly folder: string;
  /** From now on nothing can be written there; at once, so that it may be called at a stopping point. */
  fill(): void;
  free(): void;
  /** Undefined where this process may not mount. */
  readonly setReadOnly?: (readOnly: boolean) => void;
  remove(): void;
}

const MEGABYTES = 16;

/** A file system of some megabytes; where it cannot be mounted, a limit on the size of files of this process. */
export function makeSmallDisk(): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-small-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${MEGABYTES}m`, 'none', folder], { stdio: 'ignore' });
  } catch {
    return limitFiles(folder);
  }
  const ballast = join(folder, 'ballast');
  return {
    folder,
    fill: () => fillUp(folder, ballast),
    free: () => rmSync(ballast, { force: true }),
    setReadOnly: (readOnly) => void execFileSync('mount', ['-o', `remount,${readOnly ? 'ro' : 'rw'}`, folder]),
    remove() {
      execFileSync('umount', ['--lazy', folder]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function fillUp(folder: string, ballast: string): void {
  const file = openSync(ballast, 'a');
  const block = Buffer.alloc(4096);
  try {
    for (let left = statfsSync(folder).bavail; left >= 0; left--) writeSync(file, block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(file);
  }
}

function limitFiles(folder: string): SmallDisk {
  const limit = (bytes: string): void =>
    void execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`]);
  return {
    folder,
    fill: () => limit('0'),
    free: () => limit('unlimited'),
    remove() {
      limit('unlimited');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
