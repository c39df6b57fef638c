import { execFile, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { chown, open, stat, truncate } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Failure } from '../../errors.ts';
import type { Programs } from './binaries.ts';
import { serverEnvironment } from './initialise.ts';
import type { Layout } from './layout.ts';
import type { Postmaster } from './postmaster.ts';
import { isAlive, readPostmaster, removeForeignNote } from './postmaster.ts';

const LARGEST_LOG_BYTES = 8 * 1024 * 1024;
const RETRY_FOR_MS = 10_000;
const LONGEST_PAUSE_MS = 250;
/** After a crash the server replays its log first; that is never cut short while it lives. */
const STOP_WITHIN_MS = 60_000;

/** Words of a server that cannot start yet because processes of the one before it have not ended. */
const PASSING = /postmaster\.pid.*already exists|pre-existing shared memory|is in use|still in use|already in use/i;

/**
 * Starts the server and waits until it takes sessions. After a kill of everything the old processes may need a moment
 * to end: that is waited for, first shortly, up to ten seconds; any other failure is told at once.
 */
export async function launch(layout: Layout, programs: Programs, args: readonly string[]): Promise<Postmaster> {
  await prepareLog(layout);
  let pause = 25;
  for (let waited = 0; ; waited += pause) {
    await removeForeignNote(layout.clusterDir);
    const outcome = await tryLaunch(layout, programs, args);
    if (typeof outcome !== 'string') return outcome;
    if (!PASSING.test(outcome) || waited >= RETRY_FOR_MS) {
      throw new Failure('unreachable', `the embedded database does not start: ${lastLines(outcome)}`, {
        advice: `Read ${layout.logFile}.`,
      });
    }
    await delay(pause);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
}

/** One try: the running server, or what it said before it ended. */
async function tryLaunch(layout: Layout, programs: Programs, args: readonly string[]): Promise<Postmaster | string> {
  const logStart = (await stat(layout.logFile)).size;
  const log = openSync(layout.logFile, 'a');
  let ended: string | undefined;
  // Its own session: Ctrl-C reaches us alone, and we end it in order. Its log is a file: it may outlive us.
  const child = spawn(programs.postgres, args, {
    ...layout.account,
    cwd: layout.serverDir,
    detached: true,
    env: serverEnvironment(),
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  child.unref();
  child.on('error', (error) => (ended = error.message));
  child.on('exit', (code, signal) => (ended ??= `exit ${signal ?? code}`));
  for (;;) {
    const postmaster = await readPostmaster(layout.clusterDir);
    if (postmaster?.pid === child.pid && postmaster?.ready) return postmaster;
    if (ended !== undefined) return (await readFrom(layout.logFile, logStart)) || ended;
    await delay(5);
  }
}

async function prepareLog(layout: Layout): Promise<void> {
  closeSync(openSync(layout.logFile, 'a', 0o600));
  if (layout.account) await chown(layout.logFile, layout.account.uid, layout.account.gid);
  if ((await stat(layout.logFile)).size > LARGEST_LOG_BYTES) await truncate(layout.logFile);
}

async function readFrom(file: string, start: number): Promise<string> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const buffer = Buffer.alloc(Math.min(Math.max(size - start, 0), 16_384));
    await handle.read(buffer, 0, buffer.length, start);
    return buffer.toString();
  } finally {
    await handle.close();
  }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-4).join(' | ');
}

/** Ends a server: sessions are cut, everything committed is written. Returns when its process is gone. */
export async function shutDown(postmaster: Postmaster, clusterDir: string, programs: Programs): Promise<void> {
  if (!isAlive(postmaster.pid)) return;
  if (process.platform === 'win32') {
    await promisify(execFile)(programs.pgCtl, ['stop', '-D', clusterDir, '-m', 'fast', '-w']);
    return;
  }
  sendSignal(postmaster.pid, 'SIGINT');
  const deadline = performance.now() + STOP_WITHIN_MS;
  let urged = false;
  while (isAlive(postmaster.pid)) {
    if (!urged && performance.now() > deadline) {
      urged = true;
      // Recovers from its log at the next start; nothing committed is lost.
      sendSignal(postmaster.pid, 'SIGQUIT');
    }
    await delay(5);
  }
}

export function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
