import { murmur3 } from './murmur.ts';

/** Row identifiers of one unit, kept as bytes: which are repeated, and what each one's last row is. */
export interface RowIds {
  /** Adds the id of the next row; answers the earlier row that bears the same id, or -1. Rows count from 0. */
  add(id: Uint8Array): number;
  /** Distinct ids, in order of first appearance. */
  readonly distinct: number;
  /** Calls back with the distinct ids `[start, end)`; offsets begin at 0. */
  slice(start: number, end: number): { readonly offsets: Int32Array; readonly heap: Uint8Array };
  /** The last row that bears the distinct id. */
  lastRow(index: number): number;
}

export function createRowIds(): RowIds {
  let heap = Buffer.alloc(1 << 12);
  let offsets = new Float64Array(1 << 10);
  let lastRows = new Int32Array(1 << 10);
  let table = new Int32Array(1 << 11).fill(-1);
  let distinct = 0;
  let rows = 0;

  const hashOf = (index: number): number => murmur3(heap, offsets[index]!, offsets[index + 1]!);

  function growTable(): void {
    table = new Int32Array(table.length * 2).fill(-1);
    for (let index = 0; index < distinct; index++) {
      let slot = hashOf(index) & (table.length - 1);
      while (table[slot] !== -1) slot = (slot + 1) & (table.length - 1);
      table[slot] = index;
    }
  }
  function insert(id: Uint8Array): void {
    const start = offsets[distinct]!;
    if (start + id.length > heap.length) {
      heap = Buffer.concat([heap, Buffer.alloc(Math.max(heap.length, id.length))]);
    }
    heap.set(id, start);
    if (distinct + 2 > offsets.length) {
      offsets = grown(offsets, new Float64Array(offsets.length * 2));
      lastRows = grown(lastRows, new Int32Array(lastRows.length * 2));
    }
    offsets[distinct + 1] = start + id.length;
    lastRows[distinct] = rows;
    distinct += 1;
  }
  return {
    add(id) {
      let slot = murmur3(id, 0, id.length) & (table.length - 1);
      for (; table[slot] !== -1; slot = (slot + 1) & (table.length - 1)) {
        const index = table[slot]!;
        const [start, end] = [offsets[index]!, offsets[index + 1]!];
        if (end - start !== id.length || heap.compare(id, 0, id.length, start, end) !== 0) continue;
        const earlier = lastRows[index]!;
        lastRows[index] = rows++;
        return earlier;
      }
      table[slot] = distinct;
      insert(id);
      rows += 1;
      if (distinct * 2 > table.length) growTable();
      return -1;
    },
    get distinct() {
      return distinct;
    },
    lastRow: (index) => lastRows[index]!,
    slice(start, end) {
      const base = offsets[start]!;
      const cut = Int32Array.from(offsets.subarray(start, end + 1), (offset) => offset - base);
      return { offsets: cut, heap: heap.subarray(base, offsets[end]!) };
    },
  };
}

function grown<T extends Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
