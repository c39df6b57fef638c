import type { Column, ColumnBatch, ColumnVector } from '../../../columns/index.ts';
import type { World } from '../../../world.ts';
import { keptBesideData } from '../../catalog/index.ts';
import type { ResolvedStream } from '../../catalog/index.ts';
import { createDataColumn } from './data.ts';
import { createIdentity } from './identity.ts';

/** A batch as the table takes it, and the identity of its rows. */
export interface Decorated {
  readonly batch: ColumnBatch;
  readonly identity: ColumnVector;
}

export interface Decorator {
  /** The identities alone: to decide which rows stay. */
  identify(batch: ColumnBatch): ColumnVector;
  /** Renames the columns and appends the added ones; buffers are shared with `batch` and reused by the next call. */
  decorate(batch: ColumnBatch): Decorated;
}

const NO_BITS = new Uint8Array(0);
const LOW = 4294967296;
/** Rows that were loaded were not committed at a time that the log tells (contract 7.5). */
const EPOCH = new Date(0);

/** One per reader: turns source batches of the stream into table batches, with `_op_type` = `operation`. */
export function createDecorator(
  stream: ResolvedStream,
  options: { readonly operation: 'r' | 'u'; readonly world: World },
): Decorator {
  const identify = createIdentity(stream.selection);
  const data = stream.normalization
    ? undefined
    : createDataColumn(stream.selection.columns.map((column) => column.name));
  const kept = stream.normalization
    ? stream.lakeColumns.map((_, index) => index)
    : keptBesideData(stream.selection.columns, stream.pattern);
  const operation = constantText('_op_type', options.operation);
  const [commitTime, ...places] = stream.logColumns;
  return {
    identify,
    decorate(batch) {
      const identity = identify(batch);
      const own = kept.map((index) => rename(batch.columns[index]!, stream.lakeColumns[index]!));
      const time = constantTime('_olake_timestamp', options.world.now());
      const log = commitTime
        ? [constantTime(commitTime.name, EPOCH), ...places.map((column) => emptyVector(column, batch.rows))]
        : [];
      const columns = [...(data ? [data(batch)] : []), ...own, identity, time, operation, ...log];
      return { batch: { rows: batch.rows, columns }, identity };
    },
  };
}

function emptyVector(column: Column, rows: number): ColumnVector {
  const validity = new Uint8Array((rows + 7) >> 3);
  return { column, values: new Int32Array(1), heap: NO_BITS, validity, nulls: rows, count: 0 };
}

function rename(vector: ColumnVector, column: Column): ColumnVector {
  return { ...vector, column };
}

function constantText(name: string, text: string): ColumnVector {
  const heap = Buffer.from(text);
  const column: Column = { name, type: { kind: 'string' }, nullable: true };
  const values = Int32Array.of(0, heap.length);
  return { column, values, heap, validity: NO_BITS, nulls: 0, count: 1, constant: true };
}

function constantTime(name: string, time: Date): ColumnVector {
  const micros = time.getTime() * 1000;
  const high = Math.floor(micros / LOW);
  const column: Column = { name, type: { kind: 'timestamp' }, nullable: true };
  const values = Int32Array.of((micros - high * LOW) | 0, high);
  return { column, values, heap: NO_BITS, validity: NO_BITS, nulls: 0, count: 1, constant: true };
}
