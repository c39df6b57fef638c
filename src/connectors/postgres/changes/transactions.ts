import { Failure } from '../../../errors.ts';
import type { MessageStore, Spill, StoredMessage } from './spill.ts';

/** A transaction that the server has committed, with its changes in order. */
export interface LoggedTransaction {
  readonly xid: number;
  /** Where the commit record begins, and where it ends. */
  readonly commit: bigint;
  readonly end: bigint;
  /** Microseconds since 2000. */
  readonly committedAt: bigint;
  /** Relation and truncate messages in order. */
  readonly schema: readonly SchemaMessage[];
  /** Relations with changes in it. */
  readonly touched: ReadonlySet<number>;
  readonly store: MessageStore;
  /** Subtransactions that were rolled back: what they sent does not count. */
  readonly aborted: ReadonlySet<number>;
}

export interface SchemaMessage {
  readonly type: number;
  readonly xid: number;
  readonly body: Buffer;
}

/** Kinds of messages of pgoutput. */
export const MESSAGE = {
  begin: 0x42,
  commit: 0x43,
  insert: 0x49,
  update: 0x55,
  delete: 0x44,
  truncate: 0x54,
  relation: 0x52,
  streamStart: 0x53,
  streamStop: 0x45,
  streamCommit: 0x63,
  streamAbort: 0x41,
} as const;

/** What is kept of a transaction; types, origins and messages of applications are not needed. */
const KEPT: ReadonlySet<number> = new Set([
  MESSAGE.insert,
  MESSAGE.update,
  MESSAGE.delete,
  MESSAGE.truncate,
  MESSAGE.relation,
]);

/** Puts messages together into transactions; those of transactions in progress wait in stores. */
export interface Transactions {
  /** True between the beginning and the end of a transaction that is sent in one piece. */
  readonly isInside: boolean;
  /** Takes the message at [from, to) of the bytes; answers the transaction that it completes. */
  take(span: Span): LoggedTransaction | undefined;
}

interface Open {
  readonly xid: number;
  readonly schema: SchemaMessage[];
  readonly touched: Set<number>;
  readonly store: MessageStore;
  readonly aborted: Set<number>;
  /** No stream wants its changes. */
  readonly isKnown: boolean;
}

export interface Wanted {
  /** True when every stream has the transaction already. */
  readonly isKnown: (commit: bigint, xid: number) => boolean;
  /** Whether changes of the relation are read at all. */
  readonly wants: (oid: number) => boolean;
  /** Called with each relation message, before its changes. */
  readonly onRelation: (body: Buffer) => void;
}

interface Collecting {
  readonly spill: Spill;
  readonly wanted: Wanted;
  readonly streamed: Map<number, Open>;
  /** The transaction that is sent in one piece. */
  current: Open | undefined;
  /** The streamed transaction whose block is being sent. */
  block: Open | undefined;
  /** Reused from message to message. */
  readonly message: StoredMessage;
}

export interface Span {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly from: number;
  readonly to: number;
}

export function createTransactions(spill: Spill, wanted: Wanted): Transactions {
  const message = { type: 0, xid: 0, bytes: Buffer.alloc(0), from: 0, to: 0 };
  const state: Collecting = { spill, wanted, streamed: new Map(), current: undefined, block: undefined, message };
  return {
    get isInside() {
      return state.current !== undefined;
    },
    take: (span) => take(state, span),
  };
}

function take(state: Collecting, span: Span): LoggedTransaction | undefined {
  const { bytes, view } = span;
  const { streamed } = state;
  const body = span.from + 1;
  switch (bytes[span.from]) {
    case MESSAGE.begin: {
      const xid = view.getUint32(body + 16);
      state.current = open(state, xid, state.wanted.isKnown(view.getBigUint64(body), xid));
      return undefined;
    }
    case MESSAGE.commit: {
      const done = complete(state.current, view, body + 1);
      state.current = undefined;
      return done;
    }
    case MESSAGE.streamStart: {
      const xid = view.getUint32(body);
      state.block = streamed.get(xid) ?? open(state, xid, false);
      streamed.set(xid, state.block);
      return undefined;
    }
    case MESSAGE.streamStop:
      state.block = undefined;
      return undefined;
    case MESSAGE.streamCommit: {
      const xid = view.getUint32(body);
      const done = complete(streamed.get(xid), view, body + 5);
      streamed.delete(xid);
      return done;
    }
    case MESSAGE.streamAbort:
      abort(streamed, { xid: view.getUint32(body), subtransaction: view.getUint32(body + 4) });
      return undefined;
    default:
      keep(state, span);
      return undefined;
  }
}

function open({ spill }: Collecting, xid: number, isKnown: boolean): Open {
  return { xid, schema: [], touched: new Set(), store: spill.store(), aborted: new Set(), isKnown };
}

function keep({ block, current, wanted, message }: Collecting, { bytes, view, from, to }: Span): void {
  message.type = bytes[from] ?? 0;
  if (!KEPT.has(message.type)) return;
  const transaction = block ?? current;
  if (!transaction) throw new Failure('internal', 'the log holds a change outside of a transaction');
  message.bytes = bytes;
  // In a block each message names the subtransaction that it belongs to.
  message.xid = block ? view.getUint32(from + 1) : transaction.xid;
  message.from = from + (block ? 5 : 1);
  message.to = to;
  const { type, xid } = message;
  if (type === MESSAGE.relation || type === MESSAGE.truncate) {
    const body = Buffer.from(bytes.subarray(message.from, to));
    if (type === MESSAGE.relation) wanted.onRelation(body);
    transaction.schema.push({ type, xid, body });
    message.to = message.from;
    transaction.store.append(message);
  } else {
    const oid = view.getUint32(message.from);
    if (transaction.isKnown || !wanted.wants(oid)) return;
    transaction.touched.add(oid);
    transaction.store.append(message);
  }
}

function complete(transaction: Open | undefined, view: DataView, at: number): LoggedTransaction {
  if (!transaction) throw new Failure('internal', 'the log ends a transaction that it did not begin');
  return {
    ...transaction,
    commit: view.getBigUint64(at),
    end: view.getBigUint64(at + 8),
    committedAt: view.getBigInt64(at + 16),
  };
}

function abort(streamed: Map<number, Open>, { xid, subtransaction }: { xid: number; subtransaction: number }): void {
  const transaction = streamed.get(xid);
  if (xid !== subtransaction) {
    transaction?.aborted.add(subtransaction);
  } else if (transaction) {
    transaction.store.drop();
    streamed.delete(xid);
  }
}
