import { canonicalText } from './canonical.ts';
import { isPresent, readValue } from './read.ts';
import type { ColumnVector } from './types.ts';

/** Of longer texts and bytes, this much is shown: enough for whoever keeps less to see that there was more. */
export const EXCERPT_BYTES = 8192;

/** Texts of one row by the names of its columns, null for null. */
export type RowExcerpt = Readonly<Record<string, string | null>>;

/** One row of a batch for people: canonical texts, long ones cut to `EXCERPT_BYTES`. Not for hot paths. */
export function excerptRow(names: readonly string[], columns: readonly ColumnVector[], row: number): RowExcerpt {
  return Object.fromEntries(columns.map((vector, at) => [names[at] ?? vector.column.name, excerpt(vector, row)]));
}

function excerpt(vector: ColumnVector, row: number): string | null {
  if (vector.constant !== true && !isPresent(vector, row)) return null;
  const index = vector.constant === true ? 0 : denseIndex(vector, row);
  const { column, values, heap } = vector;
  if (column.type.kind !== 'string') return canonicalText(column.type, readValue(vector, index));
  const start = values[index]!;
  const length = Math.min(values[index + 1]! - start, EXCERPT_BYTES);
  return Buffer.from(heap.buffer, heap.byteOffset + start, length).toString();
}

/** How many values stand before the row's. */
function denseIndex({ nulls, validity }: ColumnVector, row: number): number {
  if (nulls === 0) return row;
  let count = 0;
  for (let byte = 0; byte < row >> 3; byte++) for (let bits = validity[byte]!; bits > 0; bits &= bits - 1) count++;
  for (let bits = validity[row >> 3]! & ((1 << (row & 7)) - 1); bits > 0; bits &= bits - 1) count++;
  return count;
}
