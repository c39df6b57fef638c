import { spawn } from 'node:child_process';
import { Failure } from '../../errors.ts';
import { describeGroup } from './leftover.ts';
import { createOutput } from './process-output.ts';
import type { ComponentCall } from './types.ts';

export interface ProcessOrder {
  /** Absolute. Started directly: no shell reads it or the arguments. */
  readonly program: string;
  readonly args: readonly string[];
  /** All that it sees of the environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly timeoutMs: number;
  /** What an exit code means that is not one of the program's own; the usual failure when it answers nothing. */
  readonly explain?: (code: number, output: string) => Failure | undefined;
}

export interface ProcessEnd {
  readonly exitCode: number;
  readonly durationMs: number;
  /** The first and the last lines, at most 1 MiB. */
  readonly output: string;
}

/** From SIGTERM to SIGKILL. */
export const TERM_GRACE_MS = 10_000;
/** What is still alive of the group after the first process has ended gets this long to close the output. */
const DRAIN_MS = 2000;

/**
 * Runs a program in a process group of its own, its input closed, its output told line by line as events. Answers when it
 * has ended with code 0. Code 1 is a failure of the user, others and signals are `component_failed`, a time limit is `timed_out`.
 * When the signal aborts, or the time is over, the whole group gets SIGTERM, after 10 s SIGKILL. Nothing of the group lives on.
 */
export async function runProcess({ attempt }: ComponentCall, order: ProcessOrder): Promise<ProcessEnd> {
  attempt.signal.throwIfAborted();
  const started = performance.now();
  const output = createOutput((line) => attempt.log('info', line));
  const { program, args, env, cwd } = order;
  const child = spawn(program, args, { env, cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.on('data', (bytes: Buffer) => output.add('stdout', bytes));
  child.stderr.on('data', (bytes: Buffer) => output.add('stderr', bytes));
  const stopper = createStopper(child.pid);
  const timer = setTimeout(() => stopper.stop(timedOut(order.timeoutMs)), order.timeoutMs);
  const abort = (): void => stopper.stop(attempt.signal.reason as Error);
  attempt.signal.addEventListener('abort', abort, { once: true });
  try {
    const ending = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
      child.on('error', (error) => reject(cannotStart(program, error)));
      child.on('exit', (code, signal) => {
        // Whoever it has left behind keeps neither running nor our pipes open.
        stopper.killGroup();
        const late = setTimeout(() => [child.stdout, child.stderr].forEach((pipe) => pipe.destroy()), DRAIN_MS);
        child.on('close', () => {
          clearTimeout(late);
          resolve({ code, signal });
        });
      });
    });
    ending.catch(() => undefined);
    // A later attempt that finds this one lost ends what it has left behind.
    if (child.pid !== undefined) await attempt.remember({ hasBegun: true, group: await describeGroup(child.pid) });
    const end = await ending;
    if (stopper.reason !== undefined) throw stopper.reason;
    const rest = { output: output.end(), durationMs: Math.round(performance.now() - started) };
    const explained = end.code === null || end.code === 0 ? undefined : order.explain?.(end.code, rest.output);
    if (explained !== undefined) throw explained;
    return judge(end, rest);
  } finally {
    output.end();
    clearTimeout(timer);
    attempt.signal.removeEventListener('abort', abort);
    stopper.killGroup();
  }
}

interface Stopper {
  readonly reason: Error | undefined;
  stop(reason: Error): void;
  killGroup(): void;
}

function createStopper(pid: number | undefined): Stopper {
  let why: Error | undefined;
  let killing: NodeJS.Timeout | undefined;
  const send = (signal: NodeJS.Signals): void => {
    try {
      if (pid !== undefined) process.kill(-pid, signal);
    } catch {
      // Nobody of the group is left.
    }
  };
  return {
    get reason() {
      return why;
    },
    stop(reason) {
      if (why !== undefined) return;
      why = reason;
      send('SIGTERM');
      killing = setTimeout(() => send('SIGKILL'), TERM_GRACE_MS);
    },
    killGroup() {
      clearTimeout(killing);
      send('SIGKILL');
    },
  };
}

function judge(
  { code, signal }: { readonly code: number | null; readonly signal: string | null },
  rest: Omit<ProcessEnd, 'exitCode'>,
): ProcessEnd {
  if (code === 0) return { exitCode: 0, ...rest };
  if (code === 1) {
    const last = rest.output.trimEnd().split('\n').at(-1) ?? '';
    const said = last === '' ? '' : `: ${last.slice(0, 1000)}`;
    throw new Failure('unprocessable', `The program ended with code 1${said}`, { advice: 'Look at its output.' });
  }
  if (code === 137 || signal === 'SIGKILL') {
    throw unexpected('was killed, e.g. because it ran out of memory or of a limit');
  }
  throw unexpected(signal === null ? `ended with code ${code}` : `was ended by ${signal}`);
}

/** An error of the application: how it ended is told, what it said is for those who may read its events. */
function unexpected(how: string): Failure {
  return new Failure('component_failed', `The program ${how}; its output is in the events.`, {
    advice: 'Look at its output in the events of the run.',
  });
}

function timedOut(timeoutMs: number): Failure {
  return new Failure('timed_out', `The program ran longer than ${timeoutMs / 1000} s and was ended`, {
    advice: 'Raise timeoutSeconds, or find out what is slow.',
  });
}

function cannotStart(program: string, error: Error): Failure {
  return new Failure(
    'configuration_invalid',
    `${program} cannot be started: ${(error as NodeJS.ErrnoException).code ?? error.message}`,
  );
}
