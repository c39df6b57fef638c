import type { ColumnVector } from '../../columns/index.ts';
import { assemblePage, plainValue } from './body.ts';
import { codecNumbers, compressPage } from './compress.ts';
import type { Dictionary } from './dictionary.ts';
import { buildDictionary } from './dictionary.ts';
import { planPages } from './pages.ts';
import type { FileColumn } from './schema.ts';
import type { ChunkStatistics } from './statistics.ts';
import { chunkStatistics } from './statistics.ts';
import { createThriftEncoder } from './thrift.ts';
import type { ParquetCodec } from './types.ts';

/** Parquet's numbers for encodings. */
export const encodings = { plain: 0, rle: 3, dictionary: 8 } as const;

/** One column of one row group, ready to be written; offsets count from the chunk's first byte. */
export interface EncodedChunk {
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
  /** Bytes before compression, page headers included. */
  readonly rawBytes: number;
  readonly codec: number;
  readonly dictionaryOffset: number | undefined;
  readonly dataOffset: number;
  readonly dataPages: number;
  readonly statistics: ChunkStatistics;
  /** Compressed bytes per byte of the last data page. */
  readonly density: number;
}

/** Chunks below this size are left uncompressed: the call costs more than it saves. */
const COMPRESS_FROM_BYTES = 256;

export interface ChunkOptions {
  readonly rows: number;
  readonly codec: ParquetCodec;
  /** False skips the attempt, for columns whose last chunks did not profit. */
  readonly tryDictionary: boolean;
  /** The density of the column's chunk before; 1 when there was none. */
  readonly density: number;
}

/** Encodes and compresses one vector. Synchronous, as it works in shared scratch space; the pieces are the caller's. */
export function encodeChunk(file: FileColumn, vector: ColumnVector, options: ChunkOptions): EncodedChunk {
  const dictionary = chooseDictionary(file, vector, options);
  const statistics = chunkStatistics(vector, dictionary, options.rows);
  const pages = planPages(vector, options.rows, dictionary === undefined && file.column.type.kind === 'string');
  const codec = rawSize(file, vector, dictionary) < COMPRESS_FROM_BYTES ? 'none' : options.codec;
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  let rawBytes = 0;
  let { density } = options;

  function emit(page: PageKind, raw: Uint8Array): void {
    const compressed = compressPage(codec, raw, raw.length * density * 1.1);
    if (page.kind === 'data' && raw.length > 0) density = compressed.length / raw.length;
    const header = encodePageHeader(page, raw.length, compressed.length);
    pieces.push(header, compressed);
    bytes += header.length + compressed.length;
    rawBytes += header.length + raw.length;
  }

  if (dictionary !== undefined) emit({ kind: 'dictionary', values: dictionary.size }, dictionary.plain);
  const dataOffset = bytes;
  for (const page of pages) {
    const raw = assemblePage({ file, vector, page, dictionary });
    emit({ kind: 'data', values: page.rows, encoding: dictionary ? encodings.dictionary : encodings.plain }, raw);
  }
  const dictionaryOffset = dictionary === undefined ? undefined : 0;
  const dataPages = pages.length;
  return {
    pieces,
    bytes,
    rawBytes,
    codec: codecNumbers[codec],
    dictionaryOffset,
    dataOffset,
    dataPages,
    statistics,
    density,
  };
}

/** A constant vector is a dictionary of its one value, whatever the type; booleans are bits in any case. */
function chooseDictionary(file: FileColumn, vector: ColumnVector, options: ChunkOptions): Dictionary | undefined {
  if (!vector.constant) return options.tryDictionary ? buildDictionary(vector) : undefined;
  if (file.column.type.kind === 'boolean') return undefined;
  return { size: 1, codes: noCodes, firsts: noCodes, plain: new Uint8Array(plainValue(file, vector)) };
}

const noCodes = new Int32Array(1);

function rawSize(file: FileColumn, vector: ColumnVector, dictionary: Dictionary | undefined): number {
  if (dictionary !== undefined) {
    const bits = 32 - Math.clz32(dictionary.size - 1);
    return dictionary.plain.length + (vector.count * bits) / 8 + (vector.nulls === 0 ? 0 : vector.validity.length);
  }
  const { kind } = file.column.type;
  if (kind === 'string') return vector.count * 4 + (vector.values[vector.count] ?? 0);
  return vector.count * Math.max(file.physical.width, 1 / 8) + (vector.nulls === 0 ? 0 : vector.validity.length);
}

type PageKind =
  | { readonly kind: 'dictionary'; readonly values: number }
  | { readonly kind: 'data'; readonly values: number; readonly encoding: number };

function encodePageHeader(page: PageKind, rawBytes: number, compressedBytes: number): Uint8Array {
  const encoder = createThriftEncoder();
  encoder.i32(1, page.kind === 'data' ? 0 : 2);
  encoder.i32(2, rawBytes);
  encoder.i32(3, compressedBytes);
  if (page.kind === 'data') {
    encoder.struct(5, () => {
      encoder.i32(1, page.values);
      encoder.i32(2, page.encoding);
      encoder.i32(3, encodings.rle);
      encoder.i32(4, encodings.rle);
    });
  } else {
    encoder.struct(7, () => {
      encoder.i32(1, page.values);
      encoder.i32(2, encodings.plain);
    });
  }
  return encoder.finish();
}
