import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Folders `<prefix><process id>-…` of the temporary folder whose processes have gone without removing them. */
export async function findLeftOverFolders(prefix: string): Promise<string[]> {
  const names = (await readdir(tmpdir())).filter((name) => name.startsWith(prefix));
  return names
    .filter((name) => {
      const [, owner] = /^(\d+)-/.exec(name.slice(prefix.length)) ?? [];
      return owner !== undefined && !isRunning(Number(owner));
    })
    .map((name) => join(tmpdir(), name));
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
