import { lanesOf } from '../../../columns/index.ts';
import type { ColumnBatch, ColumnVector } from '../../../columns/index.ts';
import { isPresent } from './identity.ts';

/** A new batch of the rows whose mark is 1, in their order. Fresh buffers. */
export function keepRows(batch: ColumnBatch, marks: Uint8Array): ColumnBatch {
  let rows = 0;
  for (let row = 0; row < batch.rows; row++) rows += marks[row]!;
  if (rows === batch.rows) return batch;
  return { rows, columns: batch.columns.map((vector) => keepValues(vector, marks, batch.rows)) };
}

function keepValues(vector: ColumnVector, marks: Uint8Array, rows: number): ColumnVector {
  if (vector.constant === true) return vector;
  const picked = new Int32Array(rows);
  const validity = new Uint8Array((rows + 7) >> 3);
  let index = 0;
  let kept = 0;
  let count = 0;
  for (let row = 0; row < rows; row++) {
    const present = isPresent(vector, row);
    if (marks[row] === 1) {
      if (present) {
        validity[kept >> 3]! |= 1 << (kept & 7);
        picked[count++] = index;
      }
      kept++;
    }
    if (present) index++;
  }
  const chosen = picked.subarray(0, count);
  return { ...vector, ...copyValues(vector, chosen), validity, nulls: kept - count, count };
}

function copyValues(vector: ColumnVector, picked: Int32Array): Pick<ColumnVector, 'values' | 'heap'> {
  if (vector.column.type.kind === 'string') return copyStrings(vector, picked);
  const lanes = lanesOf(vector.column.type) || 1;
  const make = vector.values.constructor as new (length: number) => ColumnVector['values'];
  const values = new make(picked.length * lanes);
  picked.forEach((from, to) => {
    for (let lane = 0; lane < lanes; lane++) values[to * lanes + lane] = vector.values[from * lanes + lane]!;
  });
  return { values, heap: vector.heap };
}

function copyStrings(
  { values: offsets, heap }: ColumnVector,
  picked: Int32Array,
): Pick<ColumnVector, 'values' | 'heap'> {
  const values = new Int32Array(picked.length + 1);
  picked.forEach((from, to) => {
    values[to + 1] = values[to]! + offsets[from + 1]! - offsets[from]!;
  });
  const bytes = new Uint8Array(values[picked.length]!);
  picked.forEach((from, to) => bytes.set(heap.subarray(offsets[from]!, offsets[from + 1]!), values[to]!));
  return { values, heap: bytes };
}
