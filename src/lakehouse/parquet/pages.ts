import type { ColumnVector } from '../../columns/index.ts';

/** A run of rows that becomes one data page, and the dense values that those rows own. */
export interface PageRange {
  readonly rows: number;
  readonly firstRow: number;
  readonly firstValue: number;
  readonly values: number;
}

/** Rows of a page of fixed-width values: 1 MiB of 64-bit values. A multiple of 8, so that validity is cut at bytes. */
const PAGE_ROWS = 131_072;
const PAGE_STRING_BYTES = 1 << 20;

/**
 * Cuts the rows of a chunk into pages of about 1 MiB. Every page but the last holds a multiple of 8 rows; a page of
 * plain strings goes beyond 1 MiB only by its last 8 rows. Dictionary codes and fixed widths are cut by rows alone.
 */
export function planPages(vector: ColumnVector, rows: number, plainStrings: boolean): readonly PageRange[] {
  if (vector.constant) return [{ rows, firstRow: 0, firstValue: 0, values: rows }];
  const offsets = plainStrings ? (vector.values as Int32Array) : undefined;
  const pages: PageRange[] = [];
  let firstRow = 0;
  let firstValue = 0;
  while (firstRow < rows) {
    const start = { firstRow, firstValue };
    const limit = Math.min(rows, firstRow + PAGE_ROWS);
    if (offsets === undefined) {
      firstRow = limit;
      firstValue += presentBetween(vector, start.firstRow, limit);
    } else {
      const heapLimit = offsets[firstValue]! + PAGE_STRING_BYTES;
      while (firstRow < limit && offsets[firstValue]! + 4 * (firstValue - start.firstValue) < heapLimit) {
        const next = Math.min(limit, firstRow + 8);
        firstValue += presentBetween(vector, firstRow, next);
        firstRow = next;
      }
    }
    pages.push({ ...start, rows: firstRow - start.firstRow, values: firstValue - start.firstValue });
  }
  return pages;
}

/** Present values among the rows from `start` (a multiple of 8) up to, without, `end`. */
function presentBetween(vector: ColumnVector, start: number, end: number): number {
  if (vector.nulls === 0) return end - start;
  let present = 0;
  for (let at = start >> 3; at < end >> 3; at++) present += onesOf(vector.validity[at]!);
  if (end & 7) present += onesOf(vector.validity[end >> 3]! & ((1 << (end & 7)) - 1));
  return present;
}

function onesOf(byte: number): number {
  const pairs = byte - ((byte >> 1) & 0x55);
  const fours = (pairs & 0x33) + ((pairs >> 2) & 0x33);
  return (fours + (fours >> 4)) & 0x0f;
}
