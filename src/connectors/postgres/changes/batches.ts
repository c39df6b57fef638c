import type { Column } from '../../../columns/index.ts';
import { Failure } from '../../../errors.ts';
import type { ReadChanges } from '../../kit/index.ts';
import { cancelledFailure } from '../failures.ts';
import { createDecoder, STOP, type Decoder, type WireColumn } from '../wire/decoder.ts';
import { describeRow, excerptFields } from '../wire/rows.ts';
import { LEADING_FIELDS } from './build.ts';
import type { RowWriter } from './row.ts';
import type { ChangeTable } from './table.ts';

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
  /** Answers a promise only when it must be waited for. */
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

interface Batching {
  readonly work: ReadChanges;
  readonly fillings: Map<number, Filling>;
  heldBytes: number;
  sinking: Promise<void> | undefined;
}

export function createChangeBatches(work: ReadChanges): ChangeBatches {
  const state: Batching = { work, fillings: new Map(), heldBytes: 0, sinking: undefined };
  return {
    add(table, row) {
      const filling = fillingOf(state, table);
      if (!decode(state, filling, row)) return addAfter(state, filling, row);
      // Many streams together must not take more than a few batches.
      return state.heldBytes > 2 * work.batchBytes ? flush(state) : undefined;
    },
    flush: () => flush(state),
  };
}

function fillingOf({ fillings, work }: Batching, table: ChangeTable): Filling {
  let filling = fillings.get(table.index);
  if (!filling) {
    filling = { table, current: create(work, table), spare: undefined };
    fillings.set(table.index, filling);
  }
  return filling;
}

function create(work: ReadChanges, table: ChangeTable): Decoder {
  const limits = { rows: work.batchRows, bytes: work.batchBytes };
  return createDecoder([...LEADING, ...table.fields], limits, { pending: false });
}

const span = { from: 0, end: 0 };

/** False when the batch is full. */
function decode(state: Batching, filling: Filling, row: Pick<RowWriter, 'bytes' | 'view' | 'at'>): boolean {
  const decoder = filling.current;
  const before = decoder.bytes;
  span.end = row.at;
  decoder.decode(row.bytes, row.view, span);
  state.heldBytes += decoder.bytes - before;
  if (decoder.stop === STOP.full) return false;
  if (decoder.stop === STOP.refused) refuse(state.work, filling, row.view);
  else if (decoder.stop !== STOP.more) throw new Failure('internal', 'a row of the log could not be read');
  return true;
}

function refuse(work: ReadChanges, { table, current }: Filling, view: DataView): void {
  const columns = [...LEADING, ...table.fields];
  const key = table.keys.map((field) => field + LEADING_FIELDS);
  const row = { from: current.refusedAt, end: span.end };
  work.refuse(table.index, {
    column: columns[current.refusedColumn]?.column.name ?? '',
    reason: 'the value does not fit the decimal: NaN, infinite or too long',
    key: describeRow(view, row, { columns, key }) ?? 'a row of the log',
    values: () => excerptFields(view, row, { columns, leading: LEADING_FIELDS }),
  });
}

/** The row is kept aside: its buffer takes the next one while the sink works. */
async function addAfter(state: Batching, filling: Filling, row: RowWriter): Promise<void> {
  const bytes = Buffer.from(row.bytes.subarray(0, row.at));
  await handOver(state, filling);
  decode(state, filling, { bytes, view: new DataView(bytes.buffer, bytes.byteOffset), at: bytes.length });
}

async function handOver(state: Batching, filling: Filling): Promise<void> {
  await state.sinking;
  const full = filling.current;
  state.heldBytes -= full.bytes;
  filling.current = filling.spare ?? create(state.work, filling.table);
  filling.spare = full;
  state.sinking = give(state.work, filling.table, full);
  // Whoever waits next meets the failure.
  state.sinking.catch(() => undefined);
}

async function give(work: ReadChanges, { index }: ChangeTable, decoder: Decoder): Promise<void> {
  const [operations, committedAt, place, ...columns] = decoder.vectors();
  // A read that was cancelled has ended for its caller.
  if (work.signal.aborted) throw cancelledFailure();
  if (!operations || !committedAt || !place) throw new TypeError('a row of the log begins with three fields');
  await work.sink({
    stream: index,
    batch: { rows: decoder.rows, columns },
    operations: (operations.values as Uint8Array).subarray(0, decoder.rows),
    committedAt,
    places: [place],
  });
  decoder.reset();
}

async function flush(state: Batching): Promise<void> {
  const { fillings } = state;
  for (const filling of fillings.values()) if (filling.current.rows > 0) await handOver(state, filling);
  await state.sinking;
  state.sinking = undefined;
  if (fillings.size > KEPT_STREAMS) fillings.clear();
}
