import type { DeadByFile, DeadRows } from './dead-rows.ts';
import { createDeadRows, deadRowsOf } from './dead-rows.ts';
import type { ScanPorts } from './equality-scan.ts';
import { keyColumns, scanKeys } from './equality-scan.ts';
import type { LiveFile, LiveFiles } from './live-files.ts';
import type { TableMetadata } from './model.ts';
import { positionDeletes } from './model.ts';
import { readPositionDeletes } from './position-deletes.ts';
import type { UnitKeys } from './upsert.ts';

/** Finds the rows of older files that bear ids of a unit. Each file is looked through once, however often it is asked. */
export interface RowSearch {
  /** Undefined when no row of the file can bear one of the ids. */
  find(file: LiveFile): Promise<DeadRows | undefined>;
}

/** Reads the identifier's column alone, and only of files whose bounds let them hold an id of the unit. */
export function createRowSearch(
  ports: ScanPorts,
  metadata: TableMetadata,
  { unit, fieldId }: { readonly unit: UnitKeys; readonly fieldId: number },
): RowSearch {
  const columns = keyColumns(metadata, [fieldId]);
  const range = rangeOf(unit);
  const found = new Map<string, DeadRows>();
  return {
    async find(file) {
      const { path, lowerBounds, upperBounds } = file.entry.file;
      if (!range || !mayHold(range, { lower: lowerBounds.get(fieldId), upper: upperBounds.get(fieldId) }))
        return undefined;
      const known = found.get(path);
      if (known) return known;
      const rows = createDeadRows();
      await scanKeys(ports, { file, columns }, (row, bytes, [start, end]) => {
        const index = unit.keys.find(bytes, start, end);
        if (index >= 0) rows.add(row);
      });
      found.set(path, rows);
      return rows;
    },
  };
}

interface KeyRange {
  readonly lowest: Uint8Array;
  readonly highest: Uint8Array;
}

/** The least and greatest id of the unit; undefined when it has none. */
function rangeOf({ keys }: UnitKeys): KeyRange | undefined {
  let lowest: Uint8Array | undefined;
  let highest: Uint8Array | undefined;
  const { heap } = keys;
  for (let index = 0; index < keys.size; index++) {
    const key = heap.subarray(keys.start(index), keys.start(index + 1));
    if (lowest === undefined || Buffer.compare(key, lowest) < 0) lowest = key;
    if (highest === undefined || Buffer.compare(key, highest) > 0) highest = key;
  }
  return lowest && highest && { lowest, highest };
}

/** Bounds may be shortened, the lower one down and the upper one up, so comparing them stays right. */
function mayHold(range: KeyRange, bounds: { readonly lower?: Uint8Array; readonly upper?: Uint8Array }): boolean {
  if (bounds.lower && Buffer.compare(range.highest, bounds.lower) < 0) return false;
  return !(bounds.upper && Buffer.compare(range.lowest, bounds.upper) > 0);
}

/** Rows that the table's position deletes remove, kept for a session: each delete file is read once. */
export interface PositionIndex {
  load(live: LiveFiles): Promise<DeadByFile>;
}

export function createPositionIndex(ports: ScanPorts): PositionIndex {
  let seen = new Set<string>();
  const dead: DeadByFile = new Map();
  return {
    async load(live) {
      const present = new Set<string>();
      for (const { entry } of live.deletes) {
        const { content, path } = entry.file;
        if (content !== positionDeletes) continue;
        present.add(path);
        if (seen.has(path)) continue;
        await readPositionDeletes(ports.storage, entry.file, (file, row) => deadRowsOf(dead, file).add(row));
      }
      seen = present;
      const files = new Set(live.data.map((file) => file.entry.file.path));
      for (const path of dead.keys()) if (!files.has(path)) dead.delete(path);
      return dead;
    },
  };
}
