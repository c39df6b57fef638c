import type { Column, ColumnBatch, ColumnVector } from '../../columns/index.ts';
import { isPresent, lanesOf } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import type { WantedColumn } from '../parquet/index.ts';
import { openVectorReader } from '../parquet/index.ts';
import type { Storage } from '../storage/types.ts';
import type { DeadByFile } from './dead-rows.ts';
import { deadRowsOf } from './dead-rows.ts';
import type { KeyTable } from './key-table.ts';
import { createKeyTable } from './key-table.ts';
import type { LiveFile } from './live-files.ts';
import { applies } from './live-files.ts';
import type { TableMetadata } from './model.ts';
import { equalityDeletes } from './model.ts';
import { columnType } from './schema.ts';

export interface ScanPorts {
  readonly storage: Storage;
  readonly signal?: AbortSignal;
  /** Memory for keys; more keys than fit are gone through in several passes over the data files. */
  readonly keyBytes?: number;
  readonly keyCache?: KeyCache;
}

const KEY_BYTES = 96 << 20;
/** What a key takes in the table besides its bytes. */
const KEY_OVERHEAD = 40;

/**
 * Notes which rows of the data files the equality deletes remove: a row with an equal key whose data sequence number is
 * lower than the delete's. Reads the key columns only; memory is bounded by `keyBytes` and one bit per row.
 */
export async function scanEqualityDeletes(
  ports: ScanPorts,
  metadata: TableMetadata,
  work: { readonly data: readonly LiveFile[]; readonly deletes: readonly LiveFile[]; readonly dead: DeadByFile },
): Promise<void> {
  const { data, deletes, dead } = work;
  const needed = deletes.filter(
    (one) => one.entry.file.content === equalityDeletes && data.some((file) => applies(one, file)),
  );
  const scopeOf = (one: LiveFile): string =>
    `${one.isGlobal ? '' : one.partition} ${(one.entry.file.equalityIds ?? []).toSorted((a, b) => a - b).join()}`;
  for (const group of Map.groupBy(needed, scopeOf).values()) {
    const columns = keyColumns(metadata, group[0]!.entry.file.equalityIds ?? []);
    const files = data.filter((file) => group.some((one) => applies(one, file)));
    for await (const keys of loadKeys(ports, group, columns)) {
      for (const file of files) {
        ports.signal?.throwIfAborted();
        const sequence = file.entry.sequence!;
        await scanKeys(ports, { file, columns }, (row, bytes, range) => {
          const index = keys.find(bytes, range[0], range[1]);
          if (index >= 0 && keys.get(index) > sequence) deadRowsOf(dead, file.entry.file.path).add(row);
        });
      }
    }
  }
}

/** The columns of a key in their present types; fields that were dropped are found in older schemas. */
export function keyColumns(metadata: TableMetadata, ids: readonly number[]): WantedColumn[] {
  const current = metadata.schemas.filter((one) => one['schema-id'] === metadata['current-schema-id']);
  const fields = [...metadata.schemas, ...current].toReversed().flatMap((schema) => schema.fields);
  return ids.map((id) => {
    const field = fields.find((one) => one.id === id);
    const type = columnType(field?.type);
    if (!field || !type) {
      throw new Failure(
        'configuration_invalid',
        `Rows are deleted by a column (field ${id}) of a type we do not read.`,
      );
    }
    return { column: { name: field.name, type, nullable: true }, fieldId: id };
  });
}

/** Keys with the highest sequence number that deletes them, in tables of bounded size. */
async function* loadKeys(
  ports: ScanPorts,
  deletes: readonly LiveFile[],
  columns: readonly WantedColumn[],
): AsyncGenerator<KeyTable> {
  const most = ports.keyBytes ?? KEY_BYTES;
  let keys = createKeyTable();
  for (const file of deletes) {
    const sequence = file.entry.sequence!;
    const reader = createKeyReader(columns);
    const vectors = await openVectorReader(ports.storage, file.entry.file.path);
    for (const group of vectors.groups.keys()) {
      ports.signal?.throwIfAborted();
      const { rows, columns: found } = await vectors.readGroup(group, columns);
      reader(found, rows, (_row, bytes, [start, end]) => {
        const index = keys.put(bytes, start, end);
        keys.set(index, Math.max(keys.get(index), sequence));
      });
      if (keys.bytes + keys.size * KEY_OVERHEAD < most) continue;
      yield keys;
      keys = createKeyTable();
    }
  }
  if (keys.size > 0) yield keys;
}

/** Told of a row: its key lies in `bytes` between the two ends, until the next row. */
export type TakeKey = (row: number, bytes: Uint8Array, range: readonly [number, number]) => void;

interface KeyedFile {
  readonly file: LiveFile;
  readonly columns: readonly WantedColumn[];
}

/** The keys of all rows of a data file, in order. */
export async function scanKeys(ports: ScanPorts, { file, columns }: KeyedFile, take: TakeKey): Promise<void> {
  const reader = createKeyReader(columns);
  let first = 0;
  for await (const { rows, columns: found } of readKeyBatches(ports, { file, columns })) {
    const start = first;
    reader(found, rows, (row, bytes, range) => take(start + row, bytes, range));
    first += rows;
  }
}

async function* readKeyBatches(ports: ScanPorts, { file, columns }: KeyedFile): AsyncGenerator<ColumnBatch> {
  const known = ports.keyCache?.get(file.entry.file.path);
  if (known) {
    yield* known;
    return;
  }
  const vectors = await openVectorReader(ports.storage, file.entry.file.path);
  const batches: ColumnBatch[] = [];
  for (const group of vectors.groups.keys()) {
    ports.signal?.throwIfAborted();
    const batch = await vectors.readGroup(group, columns);
    if (file.entry.file.records <= CACHED_ROWS) batches.push(batch);
    yield batch;
  }
  if (batches.length > 0) ports.keyCache?.set(file.entry.file.path, batches);
}

/** Files of more rows are read anew each time they are looked through. */
const CACHED_ROWS = 20_000;
const CACHED_BYTES = 48 << 20;

/** The key columns of small files, of which a table that is committed often has many. One key per cache. */
export interface KeyCache {
  get(path: string): readonly ColumnBatch[] | undefined;
  set(path: string, batches: readonly ColumnBatch[]): void;
  /** Forgets the files that are not among these. */
  retain(paths: ReadonlySet<string>): void;
}

export function createKeyCache(): KeyCache {
  const kept = new Map<string, { readonly batches: readonly ColumnBatch[]; readonly bytes: number }>();
  let total = 0;
  function forget(path: string): void {
    total -= kept.get(path)?.bytes ?? 0;
    kept.delete(path);
  }
  return {
    get: (path) => kept.get(path)?.batches,
    set(path, batches) {
      const vectors = batches.flatMap(({ columns }) => columns);
      const bytes = vectors.reduce((sum, { values, heap }) => sum + values.byteLength + heap.byteLength, 512);
      if (total + bytes > CACHED_BYTES) return;
      forget(path);
      kept.set(path, { batches, bytes });
      total += bytes;
    },
    retain(paths) {
      for (const path of kept.keys()) if (!paths.has(path)) forget(path);
    },
  };
}

/** A byte that no text holds. */
const nullKey = Uint8Array.of(0xff);

type KeyReader = (vectors: readonly ColumnVector[], rows: number, take: TakeKey) => void;

/** Keys as bytes that are equal when all values are. A single text without nulls is its own key, in place. */
function createKeyReader(columns: readonly WantedColumn[]): KeyReader {
  const single = columns.length === 1 && columns[0]!.column.type.kind === 'string';
  let scratch = Buffer.alloc(1 << 10);
  let end = 0;
  function append(bytes: Uint8Array | undefined): void {
    const needed = end + 5 + (bytes?.length ?? 0);
    if (needed > scratch.length) scratch = Buffer.concat([scratch], needed * 2);
    scratch[end] = bytes ? 1 : 0;
    if (!bytes) return void (end += 1);
    scratch.writeUInt32LE(bytes.length, end + 1);
    scratch.set(bytes, end + 5);
    end += 5 + bytes.length;
  }
  return (vectors, rows, take) => {
    const [only] = vectors;
    if (single) {
      for (let row = 0, dense = 0; row < rows; row++) {
        if (isPresent(only!, row)) take(row, only!.heap, [only!.values[dense]!, only!.values[++dense]!]);
        else take(row, nullKey, [0, 1]);
      }
      return;
    }
    const dense = vectors.map(() => 0);
    for (let row = 0; row < rows; row++) {
      end = 0;
      for (const [at, vector] of vectors.entries()) {
        append(isPresent(vector, row) ? valueBytes(vector, dense[at]!++) : undefined);
      }
      take(row, scratch, [0, end]);
    }
  };
}

function valueBytes({ column, values, heap }: ColumnVector, index: number): Uint8Array {
  if (column.type.kind === 'string') return heap.subarray(values[index], values[index + 1]);
  const width = widthOf(column);
  return new Uint8Array(values.buffer, values.byteOffset + index * width, width);
}

function widthOf({ type }: Column): number {
  if (type.kind === 'boolean') return 1;
  if (type.kind === 'float') return 4;
  return type.kind === 'double' ? 8 : lanesOf(type) * 4;
}
