import { isPresent } from './read.ts';
import type { ColumnVector } from './types.ts';
import { lanesOf } from './types.ts';

/** A copy of some rows of a vector, in the order of `rows`. Buffers are new; the source stays as it is. */
export function selectRows(vector: ColumnVector, allRows: number, rows: readonly number[]): ColumnVector {
  if (vector.constant) return vector;
  const ranks = vector.nulls === 0 ? undefined : denseRanks(vector, allRows);
  const validity = new Uint8Array((rows.length + 7) >> 3);
  const picks: number[] = [];
  for (const [at, row] of rows.entries()) {
    if (!isPresent(vector, row)) continue;
    validity[at >> 3]! |= 1 << (at & 7);
    picks.push(ranks === undefined ? row : ranks[row]!);
  }
  const rest = { column: vector.column, validity, nulls: rows.length - picks.length, count: picks.length };
  if (vector.column.type.kind === 'string') return { ...rest, ...pickStrings(vector, picks) };
  return { ...rest, values: pickValues(vector, picks), heap: vector.heap };
}

/** For every row the dense index of its value, or of the next one where it has none. */
function denseRanks(vector: ColumnVector, rows: number): Int32Array {
  const ranks = new Int32Array(rows);
  let dense = 0;
  for (let row = 0; row < rows; row++) {
    ranks[row] = dense;
    if (isPresent(vector, row)) dense++;
  }
  return ranks;
}

function pickValues({ values, column }: ColumnVector, picks: readonly number[]): ColumnVector['values'] {
  const lanes = Math.max(1, lanesOf(column.type));
  const picked = new (values.constructor as new (length: number) => typeof values)(picks.length * lanes);
  for (const [at, pick] of picks.entries()) {
    for (let lane = 0; lane < lanes; lane++) picked[at * lanes + lane] = values[pick * lanes + lane]!;
  }
  return picked;
}

function pickStrings({ values, heap }: ColumnVector, picks: readonly number[]): Pick<ColumnVector, 'values' | 'heap'> {
  const offsets = new Int32Array(picks.length + 1);
  for (const [at, pick] of picks.entries()) offsets[at + 1] = offsets[at]! + values[pick + 1]! - values[pick]!;
  const picked = new Uint8Array(offsets[picks.length]!);
  for (const [at, pick] of picks.entries()) picked.set(heap.subarray(values[pick]!, values[pick + 1]!), offsets[at]);
  return { values: offsets, heap: picked };
}
