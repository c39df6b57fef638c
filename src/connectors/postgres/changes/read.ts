import { Failure } from '../../../errors.ts';
import type { ReadEnd } from '../../kit/index.ts';
import { cancelledFailure } from '../failures.ts';
import { LARGEST_MESSAGE } from '../wire/inbox.ts';
import { createChangeBatches } from './batches.ts';
import { createEmitter } from './emit.ts';
import { reaches } from './lsn.ts';
import type { LogRead } from './log-read.ts';
import { createReplay, type Replay } from './replay.ts';
import { createSpill } from './spill.ts';
import { openStream, serverFailure, type LogStream } from './stream.ts';
import { createTransactions, type LoggedTransaction, type Transactions } from './transactions.ts';

/** Waiting transactions take this much memory together; what is beyond goes to temporary files. */
const WAITING_BUDGET = 16 * 1024 * 1024;
const IDLE = 100;
const ASK_INTERVAL = 500;

/** Reads as `ChangeLog.read` says. */
export async function readLog(read: LogRead): Promise<ReadEnd> {
  const spill = createSpill(read.world, WAITING_BUDGET);
  let from = read.from;
  try {
    for (;;) {
      const binary = !read.memory.needsText && read.tables.every(({ readsBinary }) => readsBinary);
      const stream = await openStream({
        config: read.config,
        signal: read.work.signal,
        now: () => read.world.now().getTime(),
        command: read.command(from, binary),
        confirmed: read.confirmed,
        senderTimeout: read.senderTimeout,
      });
      read.onStream(stream);
      try {
        const emitter = createEmitter(read.query, createChangeBatches(read.work));
        const replay = createReplay(read, emitter, { floor: from, binary });
        const transactions = createTransactions(spill, replay);
        const end = await follow({
          read,
          stream,
          transactions,
          replay,
          position: from,
          askedAt: 0,
          heard: false,
          asked: { count: 0, since: 0 },
        });
        if (end !== 'again') return end;
        from = replay.floor();
      } finally {
        read.onStream(undefined);
        await stream.close();
      }
    }
  } finally {
    spill.drop();
  }
}

interface Following {
  readonly read: LogRead;
  readonly stream: LogStream;
  readonly transactions: Transactions;
  readonly replay: Replay;
  /** Everything up to here was handed over, or waits in a batch. */
  position: bigint;
  askedAt: number;
  /** A message has come. */
  heard: boolean;
  /** Questions of the server without any log between them, since when. */
  asked: { count: number; since: number };
}

/** A server that shuts down asks again and again whether all of its log has been kept; otherwise it asks rarely. */
const ASKS_OF_SHUTDOWN = { count: 20, within: 2000 };

async function follow(following: Following): Promise<ReadEnd | 'again'> {
  const { read, stream, replay } = following;
  const { work, upTo, world } = read;
  const started = world.elapsed();
  read.world.reach('postgres.slot-read-begun');
  for (;;) {
    const transaction = takeTransaction(following);
    if (transaction) {
      const end = await replayUnlessBeyond(following, transaction);
      if (end === 'again') {
        await replay.flush();
        return end;
      }
      if (end) return finish(following, end);
    }
    if (upTo !== undefined && !following.transactions.isInside && reaches(following.position, upTo)) {
      return finish(following, { reason: 'reached', streams: [] });
    }
    if (work.wantsBoundary()) await setBoundary(following);
    if (transaction) {
      if (work.signal.aborted) await stream.more(0);
      continue;
    }
    if (!following.heard && world.elapsed() - started > read.firstWait) throw silent(read);
    if (upTo !== undefined && world.elapsed() - following.askedAt > ASK_INTERVAL) {
      following.askedAt = world.elapsed();
      stream.tell({ ask: true });
    }
    await stream.more(IDLE);
  }
}

async function replayUnlessBeyond(following: Following, transaction: LoggedTransaction) {
  const { read, replay, stream } = following;
  if (read.upTo !== undefined && transaction.commit >= read.upTo) {
    if (transaction.commit > following.position) following.position = transaction.commit;
    return { reason: 'reached', streams: [] } as const;
  }
  const end = await replay.run(transaction);
  if (!end) {
    following.position = transaction.end;
    stream.tell({ received: transaction.end });
  }
  return end;
}

async function finish(following: Following, end: ReadEnd): Promise<ReadEnd> {
  await setBoundary(following);
  return end;
}

async function setBoundary({ read, replay, position }: Following): Promise<void> {
  await replay.flush();
  if (read.work.signal.aborted) throw cancelledFailure();
  await read.work.boundary(read.print(position));
}

function silent({ firstWait, config }: LogRead): Failure {
  return new Failure(
    'timed_out',
    `${config.host}:${config.port} sent nothing of its log within ${Math.round(firstWait / 1000)} s`,
    { advice: 'The server may have much log to read before it can begin: raise update_method.initial_wait_time.' },
  );
}

const COPY_DATA = 0x64;
const XLOG_DATA = 0x77;
const KEEPALIVE = 0x6b;
const ERROR = 0x45;
const PAYLOAD_AT = 30;

/** Takes messages until one completes a transaction; undefined when more must arrive first. */
function takeTransaction(following: Following): LoggedTransaction | undefined {
  const { inbox } = following.stream;
  for (;;) {
    const { bytes, view, start, end } = inbox;
    if (end - start < 5) return undefined;
    const length = view.getUint32(start + 1) + 1;
    if (length > LARGEST_MESSAGE) throw tooLarge(following, length);
    if (end - start < length) {
      inbox.makeRoom(length);
      return undefined;
    }
    following.heard = true;
    const type = bytes[start];
    if (type === ERROR) throw serverFailure(inbox, following.read) ?? ended(following);
    if (type !== COPY_DATA && type !== 0x4e && type !== 0x53) throw ended(following);
    inbox.start = start + length;
    if (type !== COPY_DATA) continue;
    if (bytes[start + 5] === XLOG_DATA) {
      following.asked.count = 0;
      const done = following.transactions.take({ bytes, view, from: start + PAYLOAD_AT, to: start + length });
      if (done) return done;
    } else if (bytes[start + 5] === KEEPALIVE) {
      takeKeepalive(following, { walEnd: view.getBigUint64(start + 6), asks: bytes[start + 22] === 1 });
    }
  }
}

function takeKeepalive(following: Following, { walEnd, asks }: { walEnd: bigint; asks: boolean }): void {
  // Between transactions everything that committed before this place has been sent.
  if (!following.transactions.isInside && walEnd > following.position) following.position = walEnd;
  following.stream.tell({ received: walEnd });
  if (!asks) return;
  const { asked } = following;
  const now = following.read.world.elapsed();
  if (asked.count === 0 || now - asked.since > ASKS_OF_SHUTDOWN.within) following.asked = { count: 1, since: now };
  else if (++asked.count > ASKS_OF_SHUTDOWN.count) throw ended(following);
  following.stream.tell({ ask: false });
}

function ended({ read }: Following): Failure {
  return new Failure('connection_lost', `${read.config.host}:${read.config.port} ended the stream of its log`);
}

function tooLarge({ read }: Following, length: number): Failure {
  const megabytes = (bytes: number): number => Math.ceil(bytes / 1024 / 1024);
  return new Failure(
    'value_refused',
    `the log of ${read.config.host}:${read.config.port} holds a row of ${megabytes(length)} MB; at most ${megabytes(LARGEST_MESSAGE)} MB can be read`,
  );
}
