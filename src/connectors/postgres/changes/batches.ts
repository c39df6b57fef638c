import type { Column } from '../../../columns/index.ts';
import { Failure } from '../../../errors.ts';
import type { ReadChanges } from '../../kit/index.ts';
import { createDecoder, STOP, type Decoder, type WireColumn } from '../wire/decoder.ts';
import { describeRow } from '../wire/rows.ts';
import { LEADING_FIELDS } from './build.ts';
import type { RowWriter } from './row.ts';
import type { ChangeTable } from './tables.ts';

/** The column that this log adds: the place of the commit, `X/Y`. */
export const PLACE_COLUMN: Column = { name: '_cdc_lsn', type: { kind: 'string' }, nullable: true };

// The operation is one byte, and so is a boolean: its reader keeps the byte as it is.
const LEADING: readonly WireColumn[] = [
  { wire: 'bool', column: { name: '_op_type', type: { kind: 'boolean' }, nullable: false } },
  { wire: 'timestamp', column: { name: '_cdc_timestamp', type: { kind: 'timestamp' }, nullable: true } },
  { wire: 'text', column: PLACE_COLUMN },
];

/** Collects rows per stream and gives them to the sink: one batch at a time is there, while the next are filled. */
export interface ChangeBatches {
  /** True while rows wait to be handed over. */
  readonly holdsRows: boolean;
  add(table: ChangeTable, row: RowWriter): Promise<void> | undefined;
  /** Hands over everything and waits for the sink. */
  flush(): Promise<void>;
}

interface Filling {
  readonly table: ChangeTable;
  current: Decoder;
  spare: Decoder | undefined;
}

/** Streams that keep their buffers after a flush; those of the others are given back. */
const KEPT_STREAMS = 16;

export function createChangeBatches(work: ReadChanges): ChangeBatches {
  const fillings = new Map<number, Filling>();
  const span = { from: 0, end: 0 };
  let heldBytes = 0;
  let sinking: Promise<void> | undefined;

  const create = (table: ChangeTable): Decoder =>
    createDecoder([...LEADING, ...table.fields], { rows: work.batchRows, bytes: work.batchBytes }, { pending: false });
  const fillingOf = (table: ChangeTable): Filling => {
    let filling = fillings.get(table.index);
    if (!filling) {
      filling = { table, current: create(table), spare: undefined };
      fillings.set(table.index, filling);
    }
    return filling;
  };
  const give = async ({ table }: Filling, decoder: Decoder): Promise<void> => {
    const [operations, committedAt, place, ...columns] = decoder.vectors();
    if (!operations || !committedAt || !place) throw new TypeError('a row of the log begins with three fields');
    await work.sink({
      stream: table.index,
      batch: { rows: decoder.rows, columns },
      operations: (operations.values as Uint8Array).subarray(0, decoder.rows),
      committedAt,
      places: [place],
    });
    decoder.reset();
  };
  const handOver = async (filling: Filling): Promise<void> => {
    await sinking;
    const full = filling.current;
    heldBytes -= full.bytes;
    filling.current = filling.spare ?? create(filling.table);
    filling.spare = full;
    sinking = give(filling, full);
    // Whoever waits next meets the failure.
    sinking.catch(() => undefined);
  };
  const flush = async (): Promise<void> => {
    for (const filling of fillings.values()) if (filling.current.rows > 0) await handOver(filling);
    await sinking;
    sinking = undefined;
    if (fillings.size > KEPT_STREAMS) fillings.clear();
  };
  const addAfter = async (filling: Filling, row: RowWriter): Promise<void> => {
    const copy = { bytes: Buffer.from(row.bytes.subarray(0, row.at)), at: row.at };
    await handOver(filling);
    decode(filling, copy.bytes, new DataView(copy.bytes.buffer, copy.bytes.byteOffset, copy.at));
  };
  /** False when the batch is full. */
  const decode = (filling: Filling, bytes: Buffer, view: DataView): boolean => {
    const decoder = filling.current;
    const before = decoder.bytes;
    decoder.decode(bytes, view, span);
    heldBytes += decoder.bytes - before;
    if (decoder.stop === STOP.full) return false;
    if (decoder.stop === STOP.refused) refuse(filling, view);
    else if (decoder.stop !== STOP.more) throw new Failure('internal', 'a row of the log could not be read');
    return true;
  };
  const refuse = ({ table, current }: Filling, view: DataView): void => {
    const columns = [...LEADING, ...table.fields];
    const key = table.keys.map((field) => field + LEADING_FIELDS);
    work.refuse(table.index, {
      column: columns[current.refusedColumn]?.column.name ?? '',
      reason: 'the value does not fit the decimal: NaN, infinite or too long',
      key: describeRow(view, { from: current.refusedAt, end: span.end }, { columns, key }) ?? 'a row of the log',
    });
  };
  return {
    get holdsRows() {
      return heldBytes > 0;
    },
    add(table, row) {
      const filling = fillingOf(table);
      span.end = row.at;
      if (!decode(filling, row.bytes, row.view)) return addAfter(filling, row);
      // Many streams together must not take more than a few batches.
      return heldBytes > 2 * work.batchBytes ? flush() : undefined;
    },
    flush,
  };
}
