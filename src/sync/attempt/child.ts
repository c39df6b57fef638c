import { loadConnectorsOf } from '../../connectors/index.ts';
import { Failure, fromRecord, toFailure } from '../../errors.ts';
import { createWorld } from '../../world.ts';
import type { ChildIo } from './io.ts';
import { perform } from './perform.ts';
import { connectionsOf } from './work.ts';
import type { Question, ToChild, ToParent, Work } from './work.ts';

// The process of one attempt. It gets its work over IPC, asks its parent for everything that touches the store, and
// ends when it has answered or when the parent is gone.

const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Failure) => void }>();
const cancellation = new AbortController();
let lastId = 0;

function tell(message: ToParent): void {
  if (process.connected) process.send?.(message, () => {});
}

function ask(question: Question): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const id = ++lastId;
    waiting.set(id, { resolve, reject });
    tell({ type: 'question', id, question });
  });
}

function end(message: ToParent): void {
  if (!process.connected) process.exit(1);
  process.send?.(message, () => process.exit(0));
}

async function start(work: Work): Promise<void> {
  const io: ChildIo = {
    connectors: await loadConnectorsOf(connectionsOf(work).map(({ type }) => type)),
    world: createWorld({
      stopAt: work.stopAt,
      onPoint: work.tracePoints === true ? (name) => tell({ type: 'point', name }) : undefined,
    }),
    signal: cancellation.signal,
    log: ({ level, message }) => tell({ type: 'log', level, message }),
    progress: (value) => tell({ type: 'progress', value }),
    ask,
  };
  try {
    end({ type: 'done', value: await perform(work, io) });
  } catch (error) {
    const failure = toFailure(error);
    if (failure.kind === 'internal' && error instanceof Error) io.log({ level: 'debug', message: String(error.stack) });
    end({ type: 'failed', record: failure.toRecord() });
  }
}

process.on('disconnect', () => process.exit(1));
// The terminal sends these to the whole group; the parent decides what they mean.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('message', (message: ToChild) => {
  if (message.type === 'work') void start(message.work);
  else if (message.type === 'cancel') cancellation.abort(fromRecord(message.record));
  else {
    const one = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.type === 'answer') one?.resolve(message.value);
    else one?.reject(fromRecord(message.record));
  }
});
