import { OPERATION } from '../../kit/index.ts';
import { buildRow, columnText, isKeyChanged, transactionFields, type RowSource } from './build.ts';
import type { Emitter } from './emit.ts';
import { sift } from './filter.ts';
import { printLsn } from './lsn.ts';
import type { RelationPlan } from './relations.ts';
import { createRowWriter, type RowWriter } from './row.ts';
import { ENTRY_HEAD } from './spill.ts';
import { MESSAGE, type LoggedTransaction } from './transactions.ts';
import { createTuple, readTuple, type Tuple } from './tuples.ts';

export interface Applying {
  /** Per stream whether it wants the transaction. */
  readonly live: readonly boolean[];
  /** The plans of the relations as they are now; those that the transaction brings are added. */
  readonly plans: Map<number, RelationPlan>;
  /** Plans for the relation messages of the transaction, in order. */
  readonly planned: readonly (RelationPlan | undefined)[];
}

interface Applier {
  readonly emitter: Emitter;
  readonly row: RowWriter;
  readonly source: RowSource;
  readonly newTuple: Tuple;
  readonly oldTuple: Tuple;
}

const NOTHING = Buffer.alloc(0);
const NEW_TUPLE = 0x4e;
const WHOLE_OLD_TUPLE = 0x4f;

/** Gives the changes of a transaction to the emitter, one by one. */
export function createApplier(emitter: Emitter) {
  const [newTuple, oldTuple] = [createTuple(), createTuple()];
  const source: RowSource = {
    bytes: NOTHING,
    view: new DataView(NOTHING.buffer),
    tuple: newTuple,
    old: undefined,
    operation: 0,
    shared: NOTHING,
  };
  const applier: Applier = { emitter, row: createRowWriter(), source, newTuple, oldTuple };
  return {
    async apply(transaction: LoggedTransaction, applying: Applying): Promise<void> {
      source.shared = transactionFields(transaction.committedAt, printLsn(transaction.commit));
      const state = { relations: 0 };
      for (const piece of transaction.store.pieces()) {
        source.bytes = piece;
        source.view = new DataView(piece.buffer, piece.byteOffset, piece.length);
        for (let at = 0; at < piece.length;) {
          const waiting = applyEntry(applier, { transaction, applying, state, at });
          if (waiting) await waiting;
          at += ENTRY_HEAD + source.view.getUint32(at, true);
        }
      }
    },
  };
}

interface Entry {
  readonly transaction: LoggedTransaction;
  readonly applying: Applying;
  /** Relation messages so far. */
  readonly state: { relations: number };
  readonly at: number;
}

function applyEntry(applier: Applier, { transaction, applying, state, at }: Entry): Promise<void> | undefined {
  const { view, bytes } = applier.source;
  const type = bytes[at + 8] ?? 0;
  if (type === MESSAGE.relation) {
    const plan = applying.planned[state.relations++];
    if (plan) applying.plans.set(plan.relation.oid, plan);
    return undefined;
  }
  if (type === MESSAGE.truncate) return undefined;
  const { aborted } = transaction;
  if (aborted.size > 0 && aborted.has(view.getUint32(at + 4, true))) return undefined;
  const plan = applying.plans.get(view.getUint32(at + ENTRY_HEAD));
  if (!plan || applying.live[plan.table.index] !== true) return undefined;
  return applyChange(applier, plan, { type, at: at + ENTRY_HEAD + 4 });
}

function applyChange(applier: Applier, plan: RelationPlan, { type, at }: { type: number; at: number }) {
  const { source, newTuple, oldTuple } = applier;
  source.tuple = newTuple;
  source.old = undefined;
  if (type !== MESSAGE.update) {
    readTuple(newTuple, source.view, at + 1);
    return put(applier, plan, type === MESSAGE.insert ? OPERATION.inserted : OPERATION.deleted);
  }
  const hasOld = source.bytes[at] !== NEW_TUPLE;
  const next = hasOld ? readTuple(oldTuple, source.view, at + 1) : at;
  readTuple(newTuple, source.view, next + 1);
  if (!hasOld) return put(applier, plan, OPERATION.updated);
  // A key alone has no values for what the new row left out.
  source.old = source.bytes[at] === WHOLE_OLD_TUPLE ? oldTuple : undefined;
  if (!isKeyChanged(plan, source.bytes, { old: oldTuple, tuple: newTuple }))
    return put(applier, plan, OPERATION.updated);
  source.tuple = oldTuple;
  const deleted = put(applier, plan, OPERATION.deleted);
  const insert = (): Promise<void> | undefined => {
    source.tuple = newTuple;
    return put(applier, plan, OPERATION.inserted);
  };
  return deleted ? deleted.then(insert) : insert();
}

function put(applier: Applier, plan: RelationPlan, operation: number): Promise<void> | undefined {
  const { source, row, emitter } = applier;
  const { table } = plan;
  const isDeleted = operation === OPERATION.deleted;
  let filter: (string | null | undefined)[] | null = null;
  let verdict: boolean | undefined = true;
  if (table.filter.length > 0 && !isDeleted) {
    filter = plan.filterSources.map((at, test) => columnText(source, at, plan.filterReaders[test]));
    verdict = filter.includes(undefined) ? undefined : sift(table, filter as (string | null)[]);
    // A new row outside of the filter was never inside; a changed one may have been.
    if (verdict === false) {
      return operation === OPERATION.inserted ? undefined : put(applier, plan, OPERATION.deleted);
    }
  }
  source.operation = operation;
  const missing = buildRow(row, plan, source);
  if (missing === 0 && verdict) return emitter.emit(table, row);
  const isIncomplete = !isDeleted && (missing > 0 || filter?.includes(undefined) === true);
  return emitter.hold(table, {
    bytes: Buffer.from(row.bytes.subarray(0, row.at)),
    key: isIncomplete ? keyOf(plan, source) : null,
    filter: verdict ? null : filter,
  });
}

function keyOf(plan: RelationPlan, source: RowSource): string[] {
  return plan.table.keys.map((field) => columnText(source, plan.sources[field] ?? -1, plan.readers[field]) ?? '');
}
