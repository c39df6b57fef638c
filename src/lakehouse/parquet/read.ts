import type { DecodedArray, FileMetaData, SchemaElement } from 'hyparquet';
import { parquetMetadataAsync, parquetRead } from 'hyparquet';
import type { ColumnType, ColumnValue } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import type { Storage } from '../storage/types.ts';
import { pageDecompressors } from './decompress.ts';

/** A column of a file as its footer describes it. */
export interface StoredColumn {
  readonly name: string;
  readonly fieldId: number | undefined;
  readonly type: ColumnType;
  /** Its place in the footer's list of schema elements, and among the chunks of a row group. */
  readonly element: number;
  readonly chunk: number;
}

/** A Parquet file that is read back: exact values, one row group at a time. */
export interface ParquetFile {
  readonly rows: number;
  /** Those of types that Penstock writes; nested and other ones of foreign writers are left out. */
  readonly columns: readonly StoredColumn[];
  readonly leftOut: readonly Pick<StoredColumn, 'name' | 'fieldId'>[];
  readonly metadata: FileMetaData;
  /** Values of the columns (by name; null throughout where the file has no such column) for rows start to end − 1. */
  readRange(names: readonly string[], range: { start: number; end: number }): Promise<(ColumnValue | null)[][]>;
}

/** Opens a file; reads only the footer. Decimals and 64-bit integers stay exact. */
export async function openParquetFile(storage: Storage, path: string): Promise<ParquetFile> {
  const byteLength = await storage.size(path);
  if (byteLength === undefined) throw new Failure('storage_failed', `The data file "${path}" is missing.`);
  const file = {
    byteLength,
    async slice(start: number, end: number = byteLength): Promise<ArrayBuffer> {
      const bytes = await storage.readRange(path, Math.max(0, start), Math.min(end, byteLength));
      return new Uint8Array(bytes).buffer;
    },
  };
  const metadata = await parquetMetadataAsync(file);
  const { columns, leftOut } = listColumns(metadata.schema);
  // Without logical types the reader hands out the stored integers and bytes instead of rounded decimals and dates.
  const schema = metadata.schema.map((element) => ({ ...element, converted_type: undefined, logical_type: undefined }));
  const raw = { ...metadata, schema };

  return {
    rows: Number(metadata.num_rows),
    columns,
    leftOut,
    metadata,
    async readRange(names, { start, end }) {
      const known = names.filter((name) => columns.some((column) => column.name === name));
      const result: (ColumnValue | null)[][] = Array.from({ length: end - start }, () => names.map(() => null));
      if (known.length === 0 || end <= start) return result;
      const onChunk = (chunk: { columnName: string; columnData: DecodedArray; rowStart: number }): void => {
        const at = names.indexOf(chunk.columnName);
        const { type } = columns.find((column) => column.name === chunk.columnName)!;
        for (let row = Math.max(start, chunk.rowStart); row < end; row++) {
          if (row - chunk.rowStart >= chunk.columnData.length) break;
          result[row - start]![at] = fromStored(type, chunk.columnData[row - chunk.rowStart]);
        }
      };
      const options = { file, metadata: raw, columns: known, compressors: pageDecompressors, utf8: false };
      await parquetRead({ ...options, rowStart: start, rowEnd: end, onChunk });
      return result;
    },
  };
}

/** Elements are listed depth first; every leaf has a chunk, only the flat ones of the top level are columns here. */
function listColumns(schema: readonly SchemaElement[]): Pick<ParquetFile, 'columns' | 'leftOut'> {
  const columns: StoredColumn[] = [];
  const leftOut: Pick<StoredColumn, 'name' | 'fieldId'>[] = [];
  let chunk = 0;
  let nested = 0;
  for (const [at, element] of schema.entries()) {
    if (at === 0) continue;
    const children = element.num_children ?? 0;
    const isTop = nested === 0;
    nested += children - (isTop ? 0 : 1);
    const isFlat = children === 0 && element.repetition_type !== 'REPEATED';
    const type = isFlat ? storedType(element) : undefined;
    const column = { name: element.name, fieldId: element.field_id };
    if (isTop && type) columns.push({ ...column, type, element: at, chunk });
    else if (isTop) leftOut.push(column);
    if (children === 0) chunk += 1;
  }
  return { columns, leftOut };
}

/** Undefined for types that Penstock never writes. */
function storedType(element: SchemaElement): ColumnType | undefined {
  const { converted_type: converted, logical_type: logical } = element;
  if (converted === 'DECIMAL' || logical?.type === 'DECIMAL') {
    return { kind: 'decimal', precision: element.precision ?? 38, scale: element.scale ?? 0 };
  }
  switch (element.type) {
    case 'BOOLEAN':
      return { kind: 'boolean' };
    case 'INT32':
      return converted === 'DATE' || converted === 'TIME_MILLIS' ? undefined : { kind: 'int' };
    case 'INT64':
      if (converted === 'TIMESTAMP_MICROS') return { kind: 'timestamp' };
      if (logical?.type === 'TIMESTAMP') {
        return logical.unit === 'MICROS' && logical.isAdjustedToUTC ? { kind: 'timestamp' } : undefined;
      }
      return converted === 'TIMESTAMP_MILLIS' || converted === 'TIME_MICROS' ? undefined : { kind: 'long' };
    case 'FLOAT':
      return { kind: 'float' };
    case 'DOUBLE':
      return { kind: 'double' };
    case 'BYTE_ARRAY':
      return { kind: 'string' };
    default:
      return undefined;
  }
}

function fromStored(type: ColumnType, value: unknown): ColumnValue | null {
  if (value === null || value === undefined) return null;
  if (value instanceof Uint8Array) {
    if (type.kind === 'decimal') return fromBigEndian(value);
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString();
  }
  if (type.kind === 'decimal') return BigInt(value as number | bigint);
  return value as ColumnValue;
}

function fromBigEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return BigInt.asIntN(8 * bytes.length, value);
}
