import type { Query } from '../catalog.ts';
import type { ChangeBatches } from './batches.ts';
import { HELD_BYTES, HELD_ROWS, releaseRows, type HeldRow, type HeldRows } from './held.ts';
import { createRowWriter, type RowWriter } from './row.ts';
import type { ChangeTable } from './table.ts';

/** Gives rows to the batches in order; rows that wait for a word of the server keep back those behind them. */
export interface Emitter {
  /** Answers a promise only when it must be waited for. */
  emit(table: ChangeTable, row: RowWriter): Promise<void> | undefined;
  hold(table: ChangeTable, row: HeldRow): Promise<void> | undefined;
  /** Hands over everything and waits for the sink. */
  flush(): Promise<void>;
}

export function createEmitter(query: Query, batches: ChangeBatches): Emitter {
  const held = new Map<number, HeldRows>();
  const writer = createRowWriter();

  const release = async (rows: HeldRows): Promise<void> => {
    held.delete(rows.table.index);
    const emit = async (row: RowWriter): Promise<void> => batches.add(rows.table, row);
    await releaseRows(query, rows, { row: writer, emit });
  };
  const hold = (table: ChangeTable, row: HeldRow): Promise<void> | undefined => {
    let rows = held.get(table.index);
    if (!rows) {
      rows = { table, rows: [], bytes: 0 };
      held.set(table.index, rows);
    }
    rows.rows.push(row);
    rows.bytes += row.bytes.length;
    return rows.rows.length >= HELD_ROWS || rows.bytes > HELD_BYTES ? release(rows) : undefined;
  };
  return {
    emit(table, row) {
      if (!held.has(table.index)) return batches.add(table, row);
      return hold(table, { bytes: Buffer.from(row.bytes.subarray(0, row.at)), key: null, filter: null });
    },
    hold,
    async flush() {
      for (const rows of held.values()) await release(rows);
      await batches.flush();
    },
  };
}
