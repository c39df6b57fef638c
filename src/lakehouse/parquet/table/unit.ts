import type { ColumnBatch } from '../../../columns/index.ts';
import { selectRows } from '../../../columns/index.ts';
import { Failure } from '../../../errors.ts';
import type { ParquetCodec, ParquetWriter } from '../types.ts';
import { createParquetWriter } from '../writer.ts';
import type { TableLayout } from './layout.ts';
import { forEach } from './for-each.ts';
import type { Manifest, ManifestFile } from './manifest.ts';
import { columnIds } from './manifest.ts';
import type { PartitionRule } from './partition.ts';
import type { ParquetTableOptions } from './table.ts';

export type WriteOptions = Pick<ParquetTableOptions, 'storage' | 'world' | 'columns' | 'run'>;

export interface UnitOptions {
  readonly codec: ParquetCodec;
  /** A file is closed when it has reached this size. */
  readonly maximumFileBytes: number;
  readonly partition: PartitionRule | undefined;
}

/** Where a batch went. `placeOf` is there when it was cut into partitions: then its rows lie in no single run. */
export interface UnitPlace {
  readonly file: string;
  readonly firstRow: number;
  readonly placeOf?: (row: number) => { readonly file: string; readonly row: number };
}

/** Data files that belong together and wait for one commit. */
export interface ParquetUnit {
  write(batch: ColumnBatch): Promise<UnitPlace>;
  readonly bytes: number;
  readonly rows: number;
  /** Ends every file; they are durable when this answers. */
  finish(): Promise<readonly ManifestFile[]>;
  /** Removes every file. Must not be called once a commit of them may have been decided. */
  abort(): Promise<void>;
}

interface OpenFile {
  readonly path: string;
  readonly staged: string;
  readonly writer: ParquetWriter;
}

/** More partitions than this are not kept open at once; the file written longest ago is ended. */
const MAXIMUM_OPEN_FILES = 64;

/** What a unit needs to know of the table that its files are for. */
export interface UnitTarget {
  readonly layout: TableLayout;
  readonly manifest: Pick<Manifest, 'schema'>;
}

/** Starts a unit of the table. */
export function beginParquetUnit(table: UnitTarget, options: WriteOptions, unit: UnitOptions): ParquetUnit {
  const files = createUnitFiles(table, options, unit);
  let rows = 0;

  async function writeCut(batch: ColumnBatch, groups: ReadonlyMap<string, readonly number[]>): Promise<UnitPlace> {
    const places: { place: UnitPlace; picks: readonly number[] }[] = [];
    for (const [partition, picks] of groups) {
      const whole = picks.length === batch.rows;
      places.push({ place: await files.write(partition, whole ? batch : pickBatch(batch, picks)), picks });
    }
    const [first] = places;
    return places.length === 1 ? first!.place : { ...first!.place, placeOf: (row) => placeAmong(places, row) };
  }
  return {
    async write(batch) {
      rows += batch.rows;
      if (unit.partition === undefined || batch.rows === 0) return files.write('', batch);
      return writeCut(batch, unit.partition(batch));
    },
    get bytes() {
      return files.bytes();
    },
    get rows() {
      return rows;
    },
    finish: () => files.finish(),
    abort: () => files.abort(),
  };
}

/** The files of one unit: at most one open per partition. */
interface UnitFiles {
  write(partition: string, batch: ColumnBatch): Promise<UnitPlace>;
  bytes(): number;
  finish(): Promise<readonly ManifestFile[]>;
  abort(): Promise<void>;
}

function createUnitFiles(table: UnitTarget, options: WriteOptions, unit: UnitOptions): UnitFiles {
  const { storage, world, run, columns } = options;
  const ids = columnIds(table.manifest.schema, columns);
  const fields = columns.map((column) => ({ column, fieldId: ids.get(column.name)! }));
  const open = new Map<string, OpenFile>();
  const done: ManifestFile[] = [];

  async function fileFor(partition: string): Promise<OpenFile> {
    const known = open.get(partition);
    if (known !== undefined) {
      open.delete(partition);
      open.set(partition, known);
      return known;
    }
    if (open.size >= MAXIMUM_OPEN_FILES) await end(open.keys().next().value!);
    const path = table.layout.newFile(partition);
    const staged = table.layout.stagedPath(path);
    const output = await storage.createFile(table.layout.absolute(staged));
    const file = { path, staged, writer: await createParquetWriter({ columns: fields, codec: unit.codec, output }) };
    open.set(partition, file);
    return file;
  }
  async function end(partition: string): Promise<void> {
    const { path, staged, writer } = open.get(partition)!;
    const summary = await writer.close();
    open.delete(partition);
    done.push({ path, rows: summary.rows, bytes: summary.bytes, run, staged });
    world.reach('parquet.file-written');
  }
  async function drop(partition: string, file: OpenFile): Promise<void> {
    open.delete(partition);
    await file.writer.abort();
  }

  return {
    async write(partition, batch) {
      const file = await fileFor(partition);
      const { firstRow } = await file.writer.write(batch);
      if (file.writer.bytes >= unit.maximumFileBytes) await end(partition);
      return { file: file.path, firstRow };
    },
    bytes() {
      const ended = done.reduce((sum, file) => sum + file.bytes, 0);
      return [...open.values()].reduce((sum, file) => sum + file.writer.bytes, ended);
    },
    async finish() {
      await forEach([...open], ([partition, file]) => (file.writer.rows > 0 ? end(partition) : drop(partition, file)));
      return done;
    },
    async abort() {
      for (const [partition, file] of open) await drop(partition, file);
      await forEach(done.splice(0), ({ staged }) => storage.remove(table.layout.absolute(staged!)));
    },
  };
}

function pickBatch(batch: ColumnBatch, rows: readonly number[]): ColumnBatch {
  return { rows: rows.length, columns: batch.columns.map((vector) => selectRows(vector, batch.rows, rows)) };
}

function placeAmong(
  places: readonly { readonly place: UnitPlace; readonly picks: readonly number[] }[],
  row: number,
): { file: string; row: number } {
  for (const { place, picks } of places) {
    const at = picks.indexOf(row);
    if (at >= 0) return { file: place.file, row: place.firstRow + at };
  }
  throw new Failure('internal', `A batch has no row ${row}.`);
}
