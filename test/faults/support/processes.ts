import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** A process that is started again whenever it ends, until it is stopped. */
export interface KeptProcess {
  /** SIGKILL; the next one starts by itself. False when none runs at the moment. */
  kill(): boolean;
  /** How often it was killed, by whomever. */
  killed(): number;
  stop(): Promise<void>;
}

/** Keeps a process of this script running, as a service manager would; `environment` instead of the one of this process. */
export function keepProcess(
  script: string,
  args: readonly string[],
  environment?: Readonly<Record<string, string>>,
): KeptProcess {
  let child: ChildProcess | undefined;
  let killed = 0;
  const stopping = new AbortController();
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const started = fork(script, [...args], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        ...(environment && { env: { ...environment } }),
      });
      child = started;
      const signal = await new Promise((resolve) => started.once('exit', (_code, by) => resolve(by)));
      if (signal === 'SIGKILL') killed += 1;
      child = undefined;
      await delay(100);
    }
  };
  const running = run();
  return {
    kill: () => child?.kill('SIGKILL') ?? false,
    killed: () => killed,
    stop() {
      stopping.abort();
      child?.kill('SIGKILL');
      return running;
    },
  };
}

/** SIGKILL for a process and all below it, children first found. */
export function killTree(pid: number): void {
  for (const victim of [pid, ...childrenOf(pid)]) {
    try {
      process.kill(victim, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
}

function childrenOf(pid: number): number[] {
  const children: number[] = [];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      // pid (name) state ppid …; the name may hold blanks and brackets.
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      if (parent === pid) children.push(Number(entry), ...childrenOf(Number(entry)));
    } catch {
      // It ended while we looked.
    }
  }
  return children;
}
