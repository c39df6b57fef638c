import { readFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** What a server says of itself in `postmaster.pid`. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly socketDir: string;
  readonly listens: boolean;
  readonly ready: boolean;
}

/** Reads the server's own note; undefined when there is none or it is not complete yet. */
export async function readPostmaster(clusterDir: string): Promise<Postmaster | undefined> {
  const text = await readFile(join(clusterDir, 'postmaster.pid'), 'utf8').catch(() => '');
  const [pid = '', , , port = '', socketDir = '', address = '', , status = ''] = text.split('\n');
  if (!/^\d+$/.test(pid) || !/^\d+$/.test(port)) return undefined;
  return { pid: Number(pid), port: Number(port), socketDir, listens: address !== '', ready: status.trim() === 'ready' };
}

/** Whether a process lives; a dead child that nobody has collected does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return readProcess(pid)?.state !== 'Z';
}

/** What tells a process from a later one with the same number; undefined where the system does not say. */
export function startOf(pid: number): string | undefined {
  return readProcess(pid)?.started;
}

function readProcess(pid: number): { state: string; started: string } | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', started: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

/** Whether the note's process is this cluster's server, as far as the system lets us see. */
export async function runsHere(postmaster: Postmaster, clusterDir: string): Promise<boolean> {
  if (!isAlive(postmaster.pid)) return false;
  const command = await readFile(`/proc/${postmaster.pid}/cmdline`, 'utf8').catch(() => '');
  return command === '' || command.includes(clusterDir);
}

/**
 * Removes a note whose process number now belongs to something else (common after a container restart): PostgreSQL
 * would take that for a running server for ever. A note of a dead process stays: PostgreSQL judges it by itself.
 */
export async function removeForeignNote(clusterDir: string): Promise<void> {
  const note = await readPostmaster(clusterDir);
  if (note && isAlive(note.pid) && !(await runsHere(note, clusterDir))) {
    await rm(join(clusterDir, 'postmaster.pid'), { force: true });
  }
}
