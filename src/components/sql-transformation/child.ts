import { statfsSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Failure, fromRecord, toFailure } from '../../errors.ts';
import type { EmbeddedPlace, SqlResult, SqlWork, StagedTable, ToChild, ToParent } from './work.ts';

// The process of one run: the database engine is native code, so whatever happens to it happens here. It gets its work
// by IPC, asks its parent for the files of lake tables, and ends when it has answered or when the parent is gone.

const WATCH_MS = 200;
/** What the process takes besides the database's memory. */
const OWN_MB = 512;
const OUT_OF_MEMORY = 86;
const OUT_OF_DISK = 87;

let cancel = (): void => {};
let isCancelled = false;
let tables: PromiseWithResolvers<readonly StagedTable[]> | undefined;

function tell(message: ToParent): void {
  if (process.connected) process.send?.(message, () => {});
}

function end(message: ToParent): void {
  if (!process.connected) process.kill(process.pid, 'SIGKILL');
  process.send?.(message, () => process.exit(0));
}

/** The kernel takes this process first, and we take it before the kernel does. */
function limitMemory(megabytes: number): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // Not on Linux, or not allowed: the limit below holds all the same.
  }
  const most = (megabytes + OWN_MB) * 1024 * 1024;
  setInterval(() => {
    if (process.memoryUsage.rss() > most) process.exit(OUT_OF_MEMORY);
  }, WATCH_MS).unref();
}

function limitDisk({ file, leastFreeBytes }: EmbeddedPlace): void {
  const look = (): void => {
    const { bavail, bsize } = statfsSync(dirname(file));
    if (bavail * bsize < leastFreeBytes) process.exit(OUT_OF_DISK);
  };
  look();
  setInterval(look, WATCH_MS).unref();
}

function onCancel(how: () => void): void {
  cancel = how;
  if (isCancelled) how();
}

async function perform(work: SqlWork): Promise<SqlResult> {
  const { at } = work;
  if (at.kind === 'connection') {
    limitMemory(OWN_MB);
    const { runConnected } = await import('./connected.ts');
    return runConnected(work, at, { onCancel, log: (message) => tell({ type: 'log', level: 'info', message }) });
  }
  limitMemory(at.memoryMb);
  limitDisk(at);
  const { runEmbedded } = await import('./embedded.ts');
  return runEmbedded(
    { ...work, at },
    {
      onCancel,
      askTables(names) {
        tables = Promise.withResolvers();
        tell({ type: 'tables', names });
        return tables.promise;
      },
    },
  );
}

async function start(work: SqlWork): Promise<void> {
  try {
    end({ type: 'done', result: await perform(work) });
  } catch (error) {
    const failure = isCancelled ? new Failure('cancelled', 'The statements were cancelled') : toFailure(error);
    end({ type: 'failed', record: failure.toRecord() });
  }
}

// At once, before a statement that nobody waits for any more can commit.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('message', (message: ToChild) => {
  if (message.type === 'work') void start(message.work);
  else if (message.type === 'tables') tables?.resolve(message.tables);
  else if (message.type === 'refused') tables?.reject(fromRecord(message.record));
  else {
    isCancelled = true;
    cancel();
  }
});
