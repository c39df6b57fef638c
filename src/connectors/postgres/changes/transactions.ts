import { Failure } from '../../../errors.ts';
import type { MessageStore, Spill } from './spill.ts';

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

/** Puts messages together into transactions; those of transactions in progress wait in stores. */
export interface Transactions {
  /** True between the beginning and the end of a transaction that is sent in one piece. */
  readonly isInside: boolean;
  /** Takes the message at [from, to); answers the transaction that it completes. */
  take(bytes: Buffer, view: DataView, span: { from: number; to: number }): LoggedTransaction | undefined;
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

export function createTransactions(spill: Spill, wanted: Wanted): Transactions {
  const streamed = new Map<number, Open>();
  let current: Open | undefined;
  /** The streamed transaction whose block is being sent. */
  let block: Open | undefined;

  const open = (xid: number, isKnown = false): Open => ({
    xid,
    schema: [],
    touched: new Set(),
    store: spill.store(),
    aborted: new Set(),
    isKnown,
  });
  const keep = (bytes: Buffer, view: DataView, span: { from: number; to: number }): void => {
    const transaction = block ?? current;
    if (!transaction) throw new Failure('internal', 'the log holds a change outside of a transaction');
    const type = bytes[span.from] ?? 0;
    // In a block each message names the subtransaction that it belongs to.
    const xid = block ? view.getUint32(span.from + 1) : transaction.xid;
    const from = span.from + (block ? 5 : 1);
    if (type === MESSAGE.relation || type === MESSAGE.truncate) {
      const body = Buffer.from(bytes.subarray(from, span.to));
      if (type === MESSAGE.relation) wanted.onRelation(body);
      transaction.schema.push({ type, xid, body });
      transaction.store.append({ type, xid }, { bytes, from, to: from });
    } else if (type === MESSAGE.insert || type === MESSAGE.update || type === MESSAGE.delete) {
      const oid = view.getUint32(from);
      if (!transaction.isKnown && wanted.wants(oid)) {
        transaction.touched.add(oid);
        transaction.store.append({ type, xid }, { bytes, from, to: span.to });
      }
    }
  };
  const complete = (transaction: Open | undefined, view: DataView, at: number): LoggedTransaction => {
    if (!transaction) throw new Failure('internal', 'the log ends a transaction that it did not begin');
    return {
      ...transaction,
      commit: view.getBigUint64(at),
      end: view.getBigUint64(at + 8),
      committedAt: view.getBigInt64(at + 16),
    };
  };
  const abort = (view: DataView, at: number): void => {
    const [xid, subtransaction] = [view.getUint32(at), view.getUint32(at + 4)];
    const transaction = streamed.get(xid);
    if (xid !== subtransaction) {
      transaction?.aborted.add(subtransaction);
    } else if (transaction) {
      transaction.store.drop();
      streamed.delete(xid);
    }
  };
  return {
    get isInside() {
      return current !== undefined;
    },
    take(bytes, view, span) {
      const body = span.from + 1;
      switch (bytes[span.from]) {
        case MESSAGE.begin: {
          const xid = view.getUint32(body + 16);
          current = open(xid, wanted.isKnown(view.getBigUint64(body), xid));
          return undefined;
        }
        case MESSAGE.commit: {
          const done = complete(current, view, body + 1);
          current = undefined;
          return done;
        }
        case MESSAGE.streamStart: {
          const xid = view.getUint32(body);
          block = streamed.get(xid) ?? open(xid);
          streamed.set(xid, block);
          return undefined;
        }
        case MESSAGE.streamStop:
          block = undefined;
          return undefined;
        case MESSAGE.streamCommit: {
          const xid = view.getUint32(body);
          const done = complete(streamed.get(xid), view, body + 5);
          streamed.delete(xid);
          return done;
        }
        case MESSAGE.streamAbort:
          abort(view, body);
          return undefined;
        default:
          keep(bytes, view, span);
          return undefined;
      }
    },
  };
}
