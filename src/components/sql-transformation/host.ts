import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { Failure, fromRecord, toFailure } from '../../errors.ts';
import type { TableName } from '../../lakehouse/index.ts';
import type { SqlResult, SqlWork, StagedTable, ToChild, ToParent } from './work.ts';

export interface SqlHost {
  readonly dataDir: string;
  readonly signal: AbortSignal;
  log(level: 'info' | 'warn', message: string): void;
  /** Brings the files of these tables where the child may read them. */
  stageTables(names: readonly TableName[]): Promise<readonly StagedTable[]>;
}

/** How long a cancelled statement may take to end before its process is ended. */
const CANCEL_GRACE_MS = 4000;
const HEAP_MB = 256;
const OUT_OF_MEMORY = 86;
const OUT_OF_DISK = 87;

/** Runs the work in a process of its own. Throws its failure, `worker_lost` when it dies, the signal's reason on abort. */
export async function runInChild(work: SqlWork, host: SqlHost): Promise<SqlResult> {
  host.signal.throwIfAborted();
  const child = fork(new URL('child.ts', import.meta.url), [], {
    execArgv: [`--max-old-space-size=${HEAP_MB}`, '--disable-warning=ExperimentalWarning'],
    env: { NODE_COMPILE_CACHE: join(host.dataDir, 'compiled'), TZ: 'UTC' },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  let killing: NodeJS.Timeout | undefined;
  const abort = (): void => {
    tell(child, { type: 'cancel' });
    killing = setTimeout(() => child.kill('SIGKILL'), CANCEL_GRACE_MS);
  };
  host.signal.addEventListener('abort', abort, { once: true });
  try {
    return await converse(child, work, host);
  } catch (error) {
    throw host.signal.aborted ? host.signal.reason : error;
  } finally {
    host.signal.removeEventListener('abort', abort);
    clearTimeout(killing);
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  }
}

function converse(child: ChildProcess, work: SqlWork, host: SqlHost): Promise<SqlResult> {
  return new Promise((resolve, reject) => {
    let ending: (() => void) | undefined;
    child.on('error', (error) => reject(new Failure('worker_lost', `the SQL process failed: ${error.message}`)));
    // `close` and not `exit`: the last message has arrived by then, and the database's files are closed.
    child.on('close', (code, signal) => (ending ? ending() : reject(lostChild(code, signal))));
    child.on('message', (message: ToParent) => {
      if (message.type === 'done') ending = () => resolve(message.result);
      else if (message.type === 'failed') ending = () => reject(fromRecord(message.record));
      else if (message.type === 'log') host.log(message.level, message.message);
      else void stage(child, message.names, host);
    });
    tell(child, { type: 'work', work });
  });
}

async function stage(child: ChildProcess, names: readonly TableName[], host: SqlHost): Promise<void> {
  try {
    tell(child, { type: 'tables', tables: await host.stageTables(names) });
  } catch (error) {
    tell(child, { type: 'refused', record: toFailure(error).toRecord() });
  }
}

function tell(child: ChildProcess, message: ToChild): void {
  // A child that is gone already is noticed by its `close` event.
  if (child.connected) child.send(message, () => {});
}

function lostChild(code: number | null, signal: string | null): Failure {
  if (code === OUT_OF_MEMORY) {
    return new Failure('worker_lost', 'The SQL process ran out of memory', {
      advice: 'Make the statements smaller, e.g. by working on a part of the rows at a time.',
    });
  }
  if (code === OUT_OF_DISK) {
    return new Failure('storage_failed', 'The disk of the data folder is nearly full: the SQL process was ended', {
      advice: 'Make room on the disk, or let the statements write less; nothing of an open transaction is kept.',
    });
  }
  const how = signal === null ? `ended with code ${code}` : `was killed by ${signal}`;
  return new Failure('worker_lost', `The SQL process ${how}; nothing of an open transaction is kept`);
}
