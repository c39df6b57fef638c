import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Compressors, FileMetaData, SchemaElement, SchemaTree } from 'hyparquet';
import { parquetMetadataAsync, parquetRead, parquetSchema } from 'hyparquet';
import { compressors as portable } from 'hyparquet-compressors';
import { Failure } from '../../errors.ts';
import type { ListedFile, OpenFile } from '../places/types.ts';
import { nestedElement, nestedParsers } from './nested.ts';
import type { ParquetColumn } from './types.ts';
import { describeColumn } from './types.ts';
import type { RawValues } from './values.ts';

/** A Parquet file whose footer has been read. */
export interface ParquetSource {
  readonly columns: readonly ParquetColumn[];
  readonly rows: number;
  /** Rows that are read together: row groups, or parts of them where the file says how to find them. */
  readonly windows: readonly { readonly start: number; readonly end: number }[];
  /** Raw values of one column, in pieces in row order. */
  readColumn(column: ParquetColumn, window: { start: number; end: number }): Promise<readonly Piece[]>;
}

/** Values of the rows from `start` on. */
export interface Piece {
  readonly start: number;
  readonly values: RawValues;
}

const LARGEST_PART = 2 ** 30;
const WINDOW_ROWS = 131_072;

/** Decompressors of the runtime where it has them: quicker, and bounded by what the page announces. */
const compressors: Compressors = {
  ...portable,
  GZIP: (input, bytes) => gunzipSync(input, { maxOutputLength: bounded(bytes) }),
  BROTLI: (input, bytes) => brotliDecompressSync(input, { maxOutputLength: bounded(bytes) }),
  ZSTD: (input, bytes) => zstdDecompressSync(input, { maxOutputLength: bounded(bytes) }),
  SNAPPY: (input, bytes) => portable.SNAPPY!(input, bounded(bytes)),
};

/** The oldest form of a time is made of two numbers, which the reader joins before it asks. */
const rawParsers = { timestampFromNanoseconds: (nanos: bigint): bigint => nanos };

function bounded(bytes: number): number {
  if (bytes > LARGEST_PART) throw new RangeError('a page announces more than 1 GiB');
  return Math.max(1, bytes);
}

/** Reads the footer. Damage is told as `value_refused` with the file's name. */
export async function openParquet(opened: OpenFile, file: ListedFile): Promise<ParquetSource> {
  const buffer = {
    byteLength: file.bytes,
    async slice(start: number, end: number = file.bytes): Promise<ArrayBuffer> {
      const [from, to] = [start < 0 ? Math.max(0, file.bytes + start) : start, Math.min(end, file.bytes)];
      if (to - from > LARGEST_PART) throw new RangeError('a part of more than 1 GiB');
      const bytes = await opened.range(from, Math.max(from, to));
      return bytes.byteLength === bytes.buffer.byteLength
        ? (bytes.buffer as ArrayBuffer)
        : new Uint8Array(bytes).buffer;
    },
  };
  const metadata = await explained(file, () => parquetMetadataAsync(buffer, { geoparquet: false }));
  const columns = parquetSchema(metadata).children.map(describeColumn);
  const raw: FileMetaData = { ...metadata, schema: rawSchema(metadata, columns) };
  return {
    columns,
    rows: Number(metadata.num_rows),
    windows: planWindows(metadata, file),
    async readColumn(column, { start, end }) {
      const pieces: Piece[] = [];
      await explained(file, () =>
        parquetRead({
          file: buffer,
          metadata: raw,
          columns: [column.name],
          rowStart: start,
          rowEnd: end,
          compressors,
          utf8: false,
          parsers: column.storing === 'nested' ? nestedParsers : rawParsers,
          useOffsetIndex: true,
          onChunk: ({ columnData, rowStart }) => void pieces.push({ start: rowStart, values: columnData as RawValues }),
        }),
      );
      return pieces;
    },
  };
}

/** Without logical types the reader hands out what is stored, instead of rounded decimals and cut times. */
function rawSchema(metadata: FileMetaData, columns: readonly ParquetColumn[]): SchemaElement[] {
  const nested = new Set<SchemaElement>();
  const collect = (tree: SchemaTree): void => {
    nested.add(tree.element);
    tree.children.forEach(collect);
  };
  columns.filter(({ storing }) => storing === 'nested').forEach(({ tree }) => collect(tree));
  return metadata.schema.map((element, index) => {
    if (index === 0) return element;
    return nested.has(element)
      ? nestedElement(element)
      : { ...element, converted_type: undefined, logical_type: undefined };
  });
}

function planWindows({ row_groups: groups }: FileMetaData, file: ListedFile): { start: number; end: number }[] {
  const windows: { start: number; end: number }[] = [];
  let start = 0;
  for (const group of groups) {
    const end = start + Number(group.num_rows);
    const findable = group.columns.every((column) => column.offset_index_offset !== undefined);
    const largest = Math.max(
      0,
      ...group.columns.map(({ meta_data: data }) => Number(data?.total_uncompressed_size ?? 0)),
    );
    if (!findable && largest > LARGEST_PART) {
      throw new Failure(
        'value_refused',
        `${file.location}: the row group at row ${start} has a column of more than 1 GiB`,
        {
          advice: 'Write the file anew with smaller row groups.',
        },
      );
    }
    const step = findable ? WINDOW_ROWS : end - start;
    for (let from = start; from < end; from += step) windows.push({ start: from, end: Math.min(end, from + step) });
    start = end;
  }
  return windows;
}

async function explained<T>(file: ListedFile, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Failure || (error as Error).name === 'AbortError') throw error;
    const message = (error as Error).message;
    throw new Failure('value_refused', `${file.location} cannot be read as Parquet: ${message}`, { cause: error });
  }
}
