import type { Column, ColumnBatch, ColumnVector } from '../../columns/index.ts';
import { decimalText, readValue } from '../../columns/index.ts';

/** The columns with every decimal turned into a double. */
export function doubleColumns(columns: readonly Column[]): Column[] {
  return columns.map((column) => (column.type.kind === 'decimal' ? { ...column, type: { kind: 'double' } } : column));
}

/** The batch with every decimal as its nearest double. Vectors of other types are passed on as they are. */
export function doubleBatch(batch: ColumnBatch): ColumnBatch {
  return { rows: batch.rows, columns: batch.columns.map(doubleVector) };
}

function doubleVector(vector: ColumnVector): ColumnVector {
  const { type } = vector.column;
  if (type.kind !== 'decimal') return vector;
  const values = new Float64Array(vector.count);
  for (let i = 0; i < vector.count; i++) {
    values[i] = Number(decimalText(readValue(vector, i) as bigint, type.scale));
  }
  return { ...vector, column: { ...vector.column, type: { kind: 'double' } }, values };
}
