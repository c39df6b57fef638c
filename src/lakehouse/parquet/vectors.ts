import type { ColumnChunk, RowGroup, SchemaElement } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import type { Column, ColumnBatch, ColumnType, ColumnVector } from '../../columns/index.ts';
import { createColumnBuilder, lanesOf, typeWord } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import type { Storage } from '../storage/types.ts';
import { pageDecompressors } from './decompress.ts';
import { unpackHybrid } from './hybrid.ts';
import type { ParquetFile, StoredColumn } from './read.ts';
import { openParquetFile } from './read.ts';
import type { StoredForm, ValueSink } from './value-sinks.ts';
import { createSink } from './value-sinks.ts';

/** A column that is wanted from files, found by its id, or by its name in files without ids. */
export interface WantedColumn {
  readonly column: Column;
  readonly fieldId: number;
}

/** A Parquet file read back as vectors, one row group at a time. */
export interface VectorReader {
  readonly rows: number;
  readonly columns: readonly StoredColumn[];
  readonly groups: readonly { readonly rows: number; readonly rawBytes: number }[];
  /**
   * The wanted columns of one row group, in their wanted types (wider than the file's, if need be); null throughout where
   * the file has no such column. Buffers are new and the caller's.
   */
  readGroup(group: number, wanted: readonly WantedColumn[]): Promise<ColumnBatch>;
}

/** Opens a file; reads only the footer. */
export async function openVectorReader(storage: Storage, path: string): Promise<VectorReader> {
  const file = await openParquetFile(storage, path);
  const groups = file.metadata.row_groups;
  const starts: number[] = [];
  let rows = 0;
  for (const group of groups) {
    starts.push(rows);
    rows += Number(group.num_rows);
  }
  return {
    rows,
    columns: file.columns,
    groups: groups.map((group) => ({ rows: Number(group.num_rows), rawBytes: Number(group.total_byte_size) })),
    async readGroup(at, wanted) {
      const group = groups[at]!;
      const columns: ColumnVector[] = [];
      for (const one of wanted) {
        columns.push(await readColumn({ storage, path, file, group, start: starts[at]! }, one));
      }
      return { rows: Number(group.num_rows), columns };
    },
  };
}

interface GroupPlace {
  readonly storage: Storage;
  readonly path: string;
  readonly file: ParquetFile;
  readonly group: RowGroup;
  readonly start: number;
}

/** Where the file keeps a wanted column; -1 when it does not. */
export function findStored(columns: readonly Pick<StoredColumn, 'name' | 'fieldId'>[], wanted: WantedColumn): number {
  const byId = columns.findIndex((column) => column.fieldId === wanted.fieldId);
  if (byId >= 0) return byId;
  return columns.findIndex((column) => column.fieldId === undefined && column.name === wanted.column.name);
}

async function readColumn(place: GroupPlace, wanted: WantedColumn): Promise<ColumnVector> {
  const { file, group } = place;
  const rows = Number(group.num_rows);
  const at = findStored(file.columns, wanted);
  if (at < 0) {
    if (findStored(file.leftOut, wanted) < 0) return nullVector(wanted.column, rows);
    const message = `Column "${wanted.column.name}" of the data file "${place.path}" is of a type that cannot be read.`;
    throw new Failure('storage_failed', message);
  }
  const stored = file.columns[at]!;
  const element = file.metadata.schema[stored.element]!;
  const decoded =
    (await readChunk(place, { chunk: group.columns[stored.chunk]!, element, type: stored.type, rows })) ??
    (await readSlowly(place, stored, rows));
  return widen({ ...decoded, column: { ...wanted.column, type: stored.type } }, wanted.column);
}

function nullVector(column: Column, rows: number): ColumnVector {
  const empty = createColumnBuilder({ ...column, nullable: true }, 8).finish();
  return { ...empty, column, validity: new Uint8Array((rows + 7) >> 3), nulls: rows, count: 0 };
}

type Decoded = Omit<ColumnVector, 'column'>;

interface ChunkParts {
  readonly chunk: ColumnChunk;
  readonly element: SchemaElement;
  readonly type: ColumnType;
  readonly rows: number;
}

/** Undefined for encodings that only the slow reader knows. */
async function readChunk(place: GroupPlace, parts: ChunkParts): Promise<Decoded | undefined> {
  const { chunk, element, type, rows } = parts;
  const meta = chunk.meta_data;
  if (!meta || meta.path_in_schema.length !== 1 || element.repetition_type === 'REPEATED') return undefined;
  const form: StoredForm = { physical: String(element.type), width: element.type_length ?? 0, type };
  const first = Number(meta.dictionary_page_offset ?? meta.data_page_offset);
  const start = Math.min(first > 0 ? first : Number.MAX_SAFE_INTEGER, Number(meta.data_page_offset));
  const bytes = await place.storage.readRange(place.path, start, start + Number(meta.total_compressed_size));
  const hasDictionary = meta.encodings.some((encoding) => encoding.endsWith('DICTIONARY'));
  const sink = createSink(form, rows, hasDictionary ? 0 : Number(meta.total_uncompressed_size));
  if (!sink) return undefined;
  const chunkReader = { bytes, codec: meta.codec, nullable: element.repetition_type === 'OPTIONAL', rows };
  try {
    return decodePages(chunkReader, sink);
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    const message = `The data file "${place.path}" cannot be read: column "${element.name}" is damaged.`;
    throw new Failure('storage_failed', message, { cause });
  }
}

interface ChunkBytes {
  readonly bytes: Buffer;
  readonly codec: string;
  readonly nullable: boolean;
  readonly rows: number;
}

function decodePages(chunk: ChunkBytes, sink: ValueSink): Decoded | undefined {
  const { bytes, rows } = chunk;
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length), offset: 0 };
  const levels = { validity: new Uint8Array((rows + 7) >> 3), row: 0, nulls: 0 };
  while (levels.row < rows) {
    const header = parquetHeader(reader);
    const body = bytes.subarray(reader.offset, reader.offset + header.compressed_page_size);
    reader.offset += header.compressed_page_size;
    if (header.type === 'DICTIONARY_PAGE') {
      const page = decompress(chunk.codec, body, header.uncompressed_page_size);
      sink.dictionary(page, header.dictionary_page_header!.num_values);
      continue;
    }
    const page = header.type === 'DATA_PAGE' ? header.data_page_header : undefined;
    if (!page) return undefined;
    const raw = decompress(chunk.codec, body, header.uncompressed_page_size);
    const count = page.num_values;
    if (levels.row + count > rows) throw new RangeError('more values than rows');
    let from = 0;
    let present = count;
    if (chunk.nullable) {
      const length = new DataView(raw.buffer, raw.byteOffset, raw.length).getUint32(0, true);
      present = readLevels(raw.subarray(4, 4 + length), count, levels);
      from = 4 + length;
    } else levels.row += count;
    if (!readValues(sink, { page: raw, from, count: present, encoding: page.encoding })) return undefined;
  }
  const { validity, nulls } = levels;
  return { ...sink.contents(), validity, nulls, count: rows - nulls };
}

function decompress(codec: string, page: Uint8Array, length: number): Uint8Array {
  if (codec === 'UNCOMPRESSED') return page;
  const expand = pageDecompressors[codec as keyof typeof pageDecompressors];
  if (!expand) throw new RangeError(`unknown codec ${codec}`);
  const raw = expand(page, length);
  if (raw.length !== length) throw new RangeError('a page of another length than its header says');
  return raw;
}

let scratch = new Int32Array(1 << 12);

function scratchFor(count: number): Int32Array {
  if (scratch.length < count) scratch = new Int32Array(count * 2);
  return scratch.subarray(0, count);
}

/** Notes which of the next rows are present; answers how many. */
function readLevels(
  levels: Uint8Array,
  count: number,
  target: { readonly validity: Uint8Array; row: number; nulls: number },
): number {
  const present = scratchFor(count);
  unpackHybrid(levels, 1, present);
  const { validity } = target;
  let row = target.row;
  let ones = 0;
  for (let index = 0; index < count; index++, row++) {
    if (present[index] === 0) continue;
    validity[row >> 3]! |= 1 << (row & 7);
    ones += 1;
  }
  target.row = row;
  target.nulls += count - ones;
  return ones;
}

interface ValuePage {
  readonly page: Uint8Array;
  readonly from: number;
  readonly count: number;
  readonly encoding: string;
}

function readValues(sink: ValueSink, { page, from, count, encoding }: ValuePage): boolean {
  if (count === 0) return true;
  if (encoding === 'PLAIN') sink.plain(page, from, count);
  else if (encoding === 'RLE_DICTIONARY' || encoding === 'PLAIN_DICTIONARY') {
    const codes = scratchFor(count);
    if (!unpackHybrid(page.subarray(from + 1), page[from]!, codes)) return false;
    sink.codes(codes);
  } else return false;
  return true;
}

/** Any encoding that the library knows, value by value. */
async function readSlowly(place: GroupPlace, stored: StoredColumn, rows: number): Promise<Decoded> {
  const { start } = place;
  const values = await place.file.readRange([stored.name], { start, end: start + rows });
  const builder = createColumnBuilder({ name: stored.name, type: stored.type, nullable: true }, rows);
  for (const [value] of values) builder.append(value!);
  return builder.finish();
}

/** The vector in the wanted type: int as long, float as double, decimals in more lanes. */
function widen(vector: ColumnVector, column: Column): ColumnVector {
  const from = vector.column.type;
  const to = column.type;
  if (typeWord(from) === typeWord(to)) return { ...vector, column };
  const { values, count } = vector;
  if (from.kind === 'float' && to.kind === 'double') return { ...vector, column, values: Float64Array.from(values) };
  const grows = from.kind === 'int' && to.kind === 'long';
  const scales = from.kind === 'decimal' && to.kind === 'decimal' && from.scale === to.scale;
  if (!grows && !(scales && from.precision <= to.precision)) {
    const words = `${typeWord(from)} in a file and ${typeWord(to)} in the table`;
    throw new Failure('storage_failed', `Column "${column.name}" is ${words}.`);
  }
  const [few, many] = [lanesOf(from), lanesOf(to)];
  if (few === many) return { ...vector, column };
  const lanes = new Int32Array(count * many);
  for (let index = 0; index < count; index++) {
    for (let lane = 0; lane < few; lane++) lanes[index * many + lane] = values[index * few + lane]!;
    lanes.fill(values[index * few + few - 1]! < 0 ? -1 : 0, index * many + few, (index + 1) * many);
  }
  return { ...vector, column, values: lanes };
}
