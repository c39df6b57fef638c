import { readdir, readFile } from 'node:fs/promises';

/** A process group as it is found again after the server that started it has died. */
export interface ProcessGroup {
  /** Of its first process, the leader of group and session. */
  readonly pid: number;
  /** When that began, in ticks since the machine did; tells it from a later process with its number. */
  readonly ticks: string;
  /** Names the machine and its start. */
  readonly boot: string;
}

/** Null where the system does not tell (no /proc), or when the process is gone already. */
export async function describeGroup(pid: number): Promise<ProcessGroup | null> {
  const [stat, boot] = await Promise.all([readStat(String(pid)), readBoot()]);
  return stat === undefined || boot === undefined ? null : { pid, ticks: stat.ticks, boot };
}

/** Kills what is left of a group on this machine, unless its number belongs to others now. */
export async function killLeftover(group: ProcessGroup): Promise<void> {
  if ((await readBoot()) !== group.boot) return;
  const leader = await readStat(String(group.pid));
  if (leader !== undefined && leader.ticks !== group.ticks) return;
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  for (const name of names) {
    const stat = await readStat(name);
    if (stat?.session !== group.pid) continue;
    try {
      process.kill(Number(name), 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

async function readStat(pid: string): Promise<{ session: number; ticks: string } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // The second field is the program's name in brackets, which may hold anything.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  return fields && { session: Number(fields[3]), ticks: fields[19] ?? '' };
}

async function readBoot(): Promise<string | undefined> {
  return readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => undefined);
}
