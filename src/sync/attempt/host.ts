import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { LogLine } from '../../connectors/kit/index.ts';
import { Failure, fromRecord, toFailure } from '../../errors.ts';
import type { SyncProgress } from '../types.ts';
import type { Question, ToChild, ToParent, Work } from './work.ts';

/** The process around an attempt: it alone talks to the store. */
export interface AttemptHost {
  /** What the child sees of the environment; nothing when absent. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Aborting cancels the work; `reason` should be a `Failure`. */
  readonly signal: AbortSignal;
  log(line: LogLine): void;
  progress(value: SyncProgress): void;
  /** A thrown failure reaches the child and ends its work. */
  answer(question: Question): Promise<unknown>;
  point?(name: string): void;
}

/** How long a cancelled child may tidy up. */
const CANCEL_GRACE_MS = 8000;
/** A child that says nothing at all for this long hangs. */
const SILENCE_MS = 30 * 60_000;
/** Enough for the decoder's and writer's objects; column buffers live outside of this heap. */
const HEAP_MB = 192;
/**
 * The heap is small and column buffers are outside of it, so collecting it costs little when it is done at once and
 * on one thread. In steps and on threads of its own it cost a tenth more CPU, which the source beside it needs.
 */
const COLLECTING = ['--max-semi-space-size=8', '--single-threaded-gc', '--no-incremental-marking'];

/**
 * Runs the work in a child process of its own and answers its result. The work reaches the child over IPC only. Throws
 * the child's failure; `worker_lost` when the process dies; the signal's reason when it was cancelled.
 */
export async function runInChild<T>(work: Work, host: AttemptHost): Promise<T> {
  host.signal.throwIfAborted();
  const child = startChild(work, host.environment);
  const abort = (): void => cancelChild(child, host.signal);
  host.signal.addEventListener('abort', abort, { once: true });
  try {
    return (await converse(child, work, host)) as T;
  } catch (error) {
    if (host.signal.aborted) throw toFailure(host.signal.reason);
    throw error;
  } finally {
    host.signal.removeEventListener('abort', abort);
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  }
}

function startChild({ memoryMb, folders }: Work, environment: AttemptHost['environment']): ChildProcess {
  const heap = memoryMb === undefined ? HEAP_MB : Math.max(64, Math.min(memoryMb, 4096));
  return fork(new URL('child.ts', import.meta.url), [], {
    execArgv: [`--max-old-space-size=${heap}`, ...COLLECTING, '--disable-warning=ExperimentalWarning'],
    // More than half of the time until a child works goes into compiling what the child before has compiled already.
    env: { ...environment, NODE_COMPILE_CACHE: join(folders.dataDir, 'compiled') },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

function cancelChild(child: ChildProcess, signal: AbortSignal): void {
  tell(child, { type: 'cancel', record: toFailure(signal.reason).toRecord() });
  const timer = setTimeout(() => child.kill('SIGKILL'), CANCEL_GRACE_MS);
  child.once('exit', () => clearTimeout(timer));
}

function converse(child: ChildProcess, work: Work, host: AttemptHost): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let complaint = '';
    let ending: (() => void) | undefined;
    const silence = setTimeout(() => child.kill('SIGKILL'), SILENCE_MS);
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaint = (complaint + text).slice(-4096)));
    child.on('error', (error) => reject(new Failure('worker_lost', `the sync process failed: ${error.message}`)));
    // `close` and not `exit`: the last messages and the last words on stderr have arrived by then.
    child.on('close', (code, signal) => {
      clearTimeout(silence);
      if (ending) ending();
      else reject(lostChild(code, signal, complaint));
    });
    child.on('message', (message: ToParent) => {
      silence.refresh();
      if (message.type === 'done') ending = () => resolve(message.value);
      else if (message.type === 'failed') ending = () => reject(fromRecord(message.record));
      else hear(child, message, host);
    });
    tell(child, { type: 'work', work });
  });
}

function hear(child: ChildProcess, message: ToParent, host: AttemptHost): void {
  if (message.type === 'log') host.log({ level: message.level, message: message.message });
  else if (message.type === 'progress') host.progress(message.value);
  else if (message.type === 'point') host.point?.(message.name);
  else if (message.type === 'question') void answer(child, message, host);
}

async function answer(
  child: ChildProcess,
  { id, question }: Extract<ToParent, { type: 'question' }>,
  host: AttemptHost,
): Promise<void> {
  try {
    tell(child, { type: 'answer', id, value: await host.answer(question) });
  } catch (error) {
    tell(child, { type: 'refusal', id, record: toFailure(error).toRecord() });
  }
}

function tell(child: ChildProcess, message: ToChild): void {
  // A child that is gone already is noticed by its `close` event.
  if (child.connected) child.send(message, () => {});
}

function lostChild(code: number | null, signal: string | null, complaint: string): Failure {
  const outOfMemory = /heap out of memory|allocation failed/i.test(complaint) || signal === 'SIGABRT' || code === 134;
  const how = signal === null ? `ended with code ${code}` : `was killed by ${signal}`;
  return outOfMemory
    ? new Failure('worker_lost', 'the sync process ran out of memory', {
        advice: 'Raise memory_mb of the job or lower max_threads; the next attempt resumes.',
      })
    : new Failure('worker_lost', `the sync process ${how}`, {
        advice:
          'The next attempt resumes. If it happens again, check the memory of the machine and memory_mb of the job.',
      });
}
