import type { Socket } from 'node:net';
import type { ReadOptions } from '../../kit/index.ts';
import { Failure, toFailure } from '../../../errors.ts';
import type { Connection } from '../connect.ts';
import { cancelledFailure, translateError, type Place } from '../failures.ts';
import { createDecoder, STOP, type Decoder, type StreamHead, type WireColumn } from './decoder.ts';
import { createInbox, LARGEST_MESSAGE } from './inbox.ts';
import { parseServerError, queryMessage } from './messages.ts';
import { describeRow } from './rows.ts';

export interface CopyWork {
  /** A `COPY … TO STDOUT (FORMAT binary)` whose select list is `columns`. */
  readonly sql: string;
  readonly columns: readonly WireColumn[];
  /** Positions in `columns` of the key, to name refused rows. */
  readonly key: readonly number[];
  readonly options: ReadOptions;
  readonly place: Place;
}

/**
 * Runs a binary `COPY` on the connection and hands its rows to the sink, batch by batch, in order. One batch may be with the sink
 * while the next is decoded; when both are full the socket is paused, so memory stays at two batches. Before: the
 * connection is idle. After success: it is idle again. After a failure it must be abandoned.
 */
export async function copyRows(connection: Connection, work: CopyWork): Promise<void> {
  const { signal } = work.options;
  if (signal.aborted) throw cancelledFailure();
  const socket = connection.socket();
  if (socket.destroyed) throw connection.broken() ?? lostFailure(work.place);
  const driver = socket.listeners('data') as ((chunk: Buffer) => void)[];
  socket.removeAllListeners('data');
  try {
    await streamCopy(socket, work, () => connection.broken());
  } finally {
    for (const listener of driver) socket.on('data', listener);
    if (!socket.destroyed) socket.resume();
  }
}

function streamCopy(socket: Socket, work: CopyWork, broken: () => Failure | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const { signal } = work.options;
    const settle = (failure?: unknown): void => {
      socket.off('data', reader.take);
      socket.off('close', onClose);
      signal.removeEventListener('abort', onAbort);
      reader.stop();
      if (failure === undefined) resolve();
      else reject(failure instanceof Failure ? failure : toFailure(failure));
    };
    const onClose = (): void => settle(reader.error() ?? broken() ?? lostFailure(work.place));
    const onAbort = (): void => settle(cancelledFailure());
    const reader = createReader(socket, work, settle);
    socket.on('data', reader.take);
    socket.once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    socket.write(queryMessage(work.sql));
  });
}

function lostFailure(place: Place): Failure {
  return new Failure('connection_lost', `the connection to ${place.host}:${place.port} was lost while reading`);
}

interface Reader {
  take(chunk: Buffer): void;
  stop(): void;
  /** What the server said before it hung up. */
  error(): Failure | undefined;
}

/** The state of one `COPY`: bytes in, batches out. `settle` is called once, with what went wrong or nothing. */
function createReader(socket: Socket, work: CopyWork, settle: (failure?: unknown) => void): Reader {
  const inbox = createInbox();
  const batches = createBatches(work, {
    free: () => guarded(resume),
    failed: (error) => finish(error),
  });
  let error: Failure | undefined;
  let stopped = false;
  let waiting = false;
  let seen = 0;

  const finish = (failure?: unknown): void => {
    if (stopped) return;
    stopped = true;
    settle(failure);
  };
  const guarded = (step: () => void): void => {
    if (stopped) return;
    try {
      step();
    } catch (thrown) {
      finish(thrown);
    }
  };
  const refuse = (index: number, reason: string, fieldsAt: number): void => {
    const column = work.columns[index]?.column.name ?? '';
    const span = { from: fieldsAt, end: inbox.end };
    const key = describeRow(inbox.view, span, work) ?? `row ${seen + batches.current().rows + 1} of the read`;
    work.options.refuse({ column, reason, key });
  };
  const resume = (): void => {
    if (!waiting) return;
    waiting = false;
    run();
    if (!waiting && !stopped) socket.resume();
  };

  /** Decodes until the bytes run out or both batches are full. */
  function run(): void {
    while (!stopped) {
      const decoder = batches.current();
      inbox.start = decoder.decode(inbox.bytes, inbox.view, { from: inbox.start, end: inbox.end });
      switch (decoder.stop) {
        case STOP.more:
          if (decoder.needed > LARGEST_MESSAGE) skipLargeRow(decoder);
          else inbox.makeRoom(decoder.needed);
          return;
        case STOP.full:
          if (!handOver(decoder)) return;
          break;
        case STOP.refused:
          refuse(
            decoder.refusedColumn,
            'the value does not fit the decimal: NaN, infinite or too long',
            decoder.refusedAt,
          );
          break;
        case STOP.other:
          if (!readMessage()) return;
          break;
        default:
          throw new Failure('internal', 'the server sent rows of another shape than was asked for');
      }
    }
  }

  function handOver(decoder: Decoder): boolean {
    const { rows } = decoder;
    if (batches.handOver()) {
      seen += rows;
      return true;
    }
    waiting = true;
    socket.pause();
    return false;
  }

  function skipLargeRow(decoder: Decoder): void {
    const { column, at } = findLargeField(inbox, work, batches.head);
    const megabytes = Math.ceil(decoder.needed / 1048576);
    refuse(column, `the row takes ${megabytes} MB; at most ${LARGEST_MESSAGE / 1048576} MB can be read`, at);
    inbox.skip(decoder.needed);
  }

  /** A message other than a row; false when it is not complete yet, or was the last. */
  function readMessage(): boolean {
    const message = inbox.nextMessage();
    if (!message) return false;
    if (message.type === 'E') error = translateError(parseServerError(message.body), work.place);
    if (message.type !== 'Z') return true;
    if (error) finish(error);
    else batches.flush().then(() => finish(), finish);
    return false;
  }

  return {
    take: (chunk) => {
      if (stopped) return;
      inbox.put(chunk);
      if (!waiting) guarded(run);
    },
    stop: () => {
      stopped = true;
    },
    error: () => error,
  };
}

/** Which field of a row that is not read whole is the largest, as far as its beginning tells. */
function findLargeField(inbox: { view: DataView; start: number; end: number }, work: CopyWork, head: StreamHead) {
  let at = inbox.start + 5;
  if (head.pending) {
    at += 19;
    head.pending = false;
  }
  at += 2;
  const fields = at;
  let best = { column: 0, length: -1 };
  for (let column = 0; column < work.columns.length && at + 4 <= inbox.end; column++) {
    const length = inbox.view.getInt32(at);
    if (length > best.length) best = { column, length };
    at += 4 + Math.max(length, 0);
  }
  return { column: best.column, at: fields };
}

interface Batches {
  readonly head: StreamHead;
  current(): Decoder;
  /** Gives the current batch to the sink and makes the other current; false while the sink still holds the other. */
  handOver(): boolean;
  /** Waits for the sink, gives it what remains, waits again. */
  flush(): Promise<void>;
}

/** Two decoders that take turns: one is filled while the sink works on the other. The second is made when needed. */
function createBatches(work: CopyWork, events: { free: () => void; failed: (error: unknown) => void }): Batches {
  const head: StreamHead = { pending: true };
  const limits = { rows: work.options.batchRows, bytes: work.options.batchBytes };
  const create = (): Decoder => createDecoder(work.columns, limits, head);
  let current = create();
  let other: Decoder | undefined;
  let sinking: Promise<void> | undefined;

  const give = (decoder: Decoder): Promise<void> =>
    work.options.sink({ rows: decoder.rows, columns: decoder.vectors() }).then(() => decoder.reset());
  return {
    head,
    current: () => current,
    handOver() {
      if (sinking) return false;
      const full = current;
      current = other ?? create();
      other = full;
      sinking = give(full);
      sinking.then(
        () => {
          sinking = undefined;
          events.free();
        },
        (error: unknown) => events.failed(error),
      );
      return true;
    },
    async flush() {
      await sinking;
      if (current.rows > 0) await give(current);
    },
  };
}
