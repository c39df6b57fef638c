import { parquetBytes, shortenLower, shortenUpper } from './bounds.ts';
import type { EncodedChunk } from './chunk.ts';
import { encodings } from './chunk.ts';
import type { FileColumn } from './schema.ts';
import { encodeSchemaElement } from './schema.ts';
import type { ChunkStatistics } from './statistics.ts';
import type { ThriftEncoder } from './thrift.ts';
import { createThriftEncoder } from './thrift.ts';

/** What the footer says of one column chunk; offsets count from the start of the file. */
export interface ChunkRecord extends Omit<EncodedChunk, 'pieces'> {
  readonly start: number;
}

export interface RowGroupRecord {
  readonly rows: number;
  readonly start: number;
  readonly chunks: readonly ChunkRecord[];
}

export const parquetMagic: Uint8Array = Buffer.from('PAR1');

const CREATED_BY = 'penstock';

/** The footer with its length and the closing magic: everything that follows the last page. */
export function encodeFooter(
  columns: readonly FileColumn[],
  groups: readonly RowGroupRecord[],
  keyValues: Readonly<Record<string, string>> = {},
): Uint8Array {
  const encoder = createThriftEncoder();
  encoder.i32(1, 2);
  encoder.structs(2, [undefined, ...columns], (column) => {
    if (column === undefined) {
      encoder.binary(4, Buffer.from('schema'));
      encoder.i32(5, columns.length);
    } else encodeSchemaElement(encoder, column);
  });
  encoder.i64(
    3,
    groups.reduce((sum, group) => sum + group.rows, 0),
  );
  encoder.structs(4, groups, (group) => encodeRowGroup(encoder, columns, group));
  const pairs = Object.entries(keyValues);
  if (pairs.length > 0) {
    encoder.structs(5, pairs, ([key, value]) => {
      encoder.binary(1, Buffer.from(key));
      encoder.binary(2, Buffer.from(value));
    });
  }
  encoder.binary(6, Buffer.from(CREATED_BY));
  encoder.structs(7, columns, () => encoder.struct(1, () => {}));
  const footer = encoder.finish();
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return Buffer.concat([footer, length, parquetMagic]);
}

function encodeRowGroup(encoder: ThriftEncoder, columns: readonly FileColumn[], group: RowGroupRecord): void {
  const { chunks } = group;
  encoder.structs(
    1,
    chunks.map((chunk, at) => ({ chunk, column: columns[at]! })),
    ({ chunk, column }) => {
      encoder.i64(2, 0);
      encoder.struct(3, () => encodeChunkMetadata(encoder, column, { chunk, rows: group.rows }));
    },
  );
  encoder.i64(
    2,
    chunks.reduce((sum, chunk) => sum + chunk.rawBytes, 0),
  );
  encoder.i64(3, group.rows);
  encoder.i64(5, group.start);
  encoder.i64(
    6,
    chunks.reduce((sum, chunk) => sum + chunk.bytes, 0),
  );
}

function encodeChunkMetadata(
  encoder: ThriftEncoder,
  file: FileColumn,
  { chunk, rows }: { chunk: ChunkRecord; rows: number },
): void {
  const coded = chunk.dictionaryOffset !== undefined;
  encoder.i32(1, file.physical.code);
  encoder.i32s(2, coded ? [encodings.plain, encodings.rle, encodings.dictionary] : [encodings.plain, encodings.rle]);
  encoder.binaries(3, [Buffer.from(file.column.name)]);
  encoder.i32(4, chunk.codec);
  encoder.i64(5, rows);
  encoder.i64(6, chunk.rawBytes);
  encoder.i64(7, chunk.bytes);
  encoder.i64(9, chunk.start + chunk.dataOffset);
  if (coded) encoder.i64(11, chunk.start);
  encoder.struct(12, () => encodeStatistics(encoder, file, chunk.statistics));
  const dataEncoding = coded ? encodings.dictionary : encodings.plain;
  const counts = [{ page: 0, encoding: dataEncoding as number, count: chunk.dataPages }];
  if (coded) counts.unshift({ page: 2, encoding: encodings.plain, count: 1 });
  encoder.structs(13, counts, ({ page, encoding, count }) => {
    encoder.i32(1, page);
    encoder.i32(2, encoding);
    encoder.i32(3, count);
  });
}

/** Bounds go only into the fields with a defined order (5 and 6), with their exactness (7 and 8). */
function encodeStatistics(encoder: ThriftEncoder, file: FileColumn, statistics: ChunkStatistics): void {
  encoder.i64(3, statistics.nulls);
  const { lower, upper } = statistics;
  if (lower === undefined || upper === undefined) return;
  const bytes = (bound: typeof lower): Uint8Array => parquetBytes(file.column.type, bound, file.physical.width);
  const text = file.column.type.kind === 'string';
  const shortLower = text ? shortenLower(bytes(lower)) : { bytes: bytes(lower), exact: true };
  const shortUpper = text ? shortenUpper(bytes(upper)) : { bytes: bytes(upper), exact: true };
  if (shortUpper) encoder.binary(5, shortUpper.bytes);
  encoder.binary(6, shortLower.bytes);
  if (shortUpper) encoder.bool(7, shortUpper.exact);
  encoder.bool(8, shortLower.exact);
}
