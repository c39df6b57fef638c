import { Failure } from '../../../errors.ts';
import type { ReadEnd } from '../../kit/index.ts';
import { createApplier } from './apply.ts';
import type { Emitter } from './emit.ts';
import type { LogRead } from './log-read.ts';
import { parsePosition } from './position.ts';
import { parseRelation, planRelation, type RelationPlan } from './relations.ts';
import { readSnapshot, type Sees } from './seen.ts';
import type { ChangeTable } from './table.ts';
import { MESSAGE, type LoggedTransaction, type Wanted } from './transactions.ts';

/** Turns committed transactions into changes of the streams. */
export interface Replay extends Wanted {
  /**
   * Hands the changes of a transaction on; or, before any of them, answers why reading must stop here. `again` = the server
   * must be asked for text.
   */
  run(transaction: LoggedTransaction): Promise<ReadEnd | 'again' | undefined>;
  flush(): Promise<void>;
  /** Everything before it was handed over. */
  floor(): bigint;
}

interface Known {
  readonly table: ChangeTable;
  readonly after: bigint;
  readonly sees: Sees | undefined;
}

export function createReplay(read: LogRead, emitter: Emitter, start: { floor: bigint; binary: boolean }): Replay {
  const known = read.tables.map((table): Known => ({
    table,
    after: parsePosition(table.stream.after).lsn,
    sees: table.stream.seen === null ? undefined : snapshotOf(table.stream.seen),
  }));
  const tableOf = new Map(read.tables.map((table) => [Number(table.relation.oid), table]));
  const plans = new Map<number, RelationPlan>();
  const applier = createApplier(emitter);
  let { floor } = start;

  const skips = ({ after, sees }: Known, commit: bigint, xid: number): boolean =>
    commit < floor || commit < after || sees?.(xid) === true;
  const findTable = (namespace: string, name: string): ChangeTable | undefined =>
    read.tables.find(({ relation }) => relation.namespace === namespace && relation.name === name);

  /** The plans of the relation messages in order; undefined where a stream is not concerned. */
  const planAll = async ({ schema, aborted }: LoggedTransaction): Promise<(RelationPlan | undefined)[]> => {
    const planned: (RelationPlan | undefined)[] = [];
    for (const { type, xid, body } of schema) {
      if (type !== MESSAGE.relation) continue;
      const relation = parseRelation(body);
      const table = aborted.has(xid) ? undefined : tableOf.get(relation.oid);
      planned.push(table && (await planRelation(relation, table, read.lookUp)));
    }
    return planned;
  };
  return {
    isKnown: (commit, xid) => known.every((one) => skips(one, commit, xid)),
    wants: (oid) => tableOf.has(oid),
    onRelation(body) {
      const { oid, namespace, name } = parseRelation(body);
      // A table that was made anew or swapped in has another number; one that gave the name away is ours no longer.
      const table = findTable(namespace, name);
      if (table) tableOf.set(oid, table);
      else if (isStranger(tableOf.get(oid), oid)) tableOf.delete(oid);
    },
    async run(transaction) {
      const { commit, xid, touched } = transaction;
      const live = known.map((one) => !skips(one, commit, xid));
      const planned = await planAll(transaction);
      const concerned = [...planned, ...[...touched].map((oid) => plans.get(oid))].filter(
        (plan) => plan !== undefined && live[plan.table.index] && touched.has(plan.relation.oid),
      ) as RelationPlan[];
      const concerning = { read, live, tableOf };
      const stop =
        replaced(transaction, concerning) ??
        emptied(transaction, concerning) ??
        reshaped(concerned, read, start.binary);
      if (stop) return stop;
      await applier.apply(transaction, { live, plans, planned });
      transaction.store.drop();
      floor = transaction.end;
      return undefined;
    },
    flush: () => emitter.flush(),
    floor: () => floor,
  };
}

function snapshotOf(seen: string): Sees {
  const sees = readSnapshot(seen);
  if (!sees) throw new Failure('configuration_invalid', 'the mark of a load names no snapshot');
  return sees;
}

interface Concerned {
  readonly read: LogRead;
  readonly live: readonly boolean[];
  readonly tableOf: ReadonlyMap<number, ChangeTable>;
}

/** Another table than the one that bore the name when the read began. */
const isStranger = (table: ChangeTable | undefined, oid: number): boolean => Number(table?.relation.oid) !== oid;

/** The end that changes of another table of the same name are, the first time that it is met. */
function replaced({ touched }: LoggedTransaction, { read, live, tableOf }: Concerned): ReadEnd | undefined {
  const streams = new Set<number>();
  for (const oid of touched) {
    const table = tableOf.get(oid);
    if (!table || !live[table.index] || !isStranger(table, oid)) continue;
    if (isNew(read, `${wordOf(table)} became ${oid}`)) streams.add(table.index);
  }
  return endOf('replaced', streams);
}

/** The end that tables emptied by the transaction are, the first time that it is met. */
function emptied(transaction: LoggedTransaction, { read, live, tableOf }: Concerned): ReadEnd | undefined {
  const streams = new Set<number>();
  for (const { type, xid, body } of transaction.schema) {
    if (type !== MESSAGE.truncate || transaction.aborted.has(xid)) continue;
    for (let at = 5; at + 4 <= body.length; at += 4) {
      const table = tableOf.get(body.readUInt32BE(at));
      if (table && live[table.index] && isNew(read, `${wordOf(table)} emptied at ${transaction.commit}`)) {
        streams.add(table.index);
      }
    }
  }
  return endOf('truncated', streams);
}

/** The end that new columns are, the first time that these columns are met. */
function reshaped(plans: readonly RelationPlan[], read: LogRead, binary: boolean): ReadEnd | 'again' | undefined {
  const streams = new Set<number>();
  for (const { table, relation, news, misfit } of plans) {
    if (misfit !== undefined) {
      const type = relation.columns.find(({ name }) => name === misfit);
      if (isNew(read, `${wordOf(table)} ${misfit} became ${type?.oid}:${type?.modifier}`)) streams.add(table.index);
      else throw misfitFailure(table, misfit);
    } else if (news.length > 0 && isNew(read, `${wordOf(table)} grew ${JSON.stringify(news)}`)) {
      streams.add(table.index);
    }
  }
  if (streams.size > 0) return endOf('columns changed', streams);
  if (!binary || plans.every(({ readsBinary }) => readsBinary)) return undefined;
  read.memory.needsText = true;
  return 'again';
}

function endOf(reason: ReadEnd['reason'], streams: ReadonlySet<number>): ReadEnd | undefined {
  return streams.size > 0 ? { reason, streams: [...streams].toSorted((a, b) => a - b) } : undefined;
}

function isNew({ memory }: LogRead, change: string): boolean {
  if (memory.told.has(change)) return false;
  memory.told.add(change);
  return true;
}

const wordOf = ({ relation }: ChangeTable): string => JSON.stringify([relation.namespace, relation.name]);

function misfitFailure({ relation }: ChangeTable, column: string): Failure {
  return new Failure(
    'object_missing',
    `the log holds changes of "${relation.namespace}.${relation.name}" in which column "${column}" has a type that does not fit the stream's; clear the destination table and load it anew`,
  );
}
