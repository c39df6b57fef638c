import type { ColumnBatch, ColumnVector } from '../../columns/index.ts';
import { typeWord } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import type { OutputFile } from '../storage/types.ts';
import { icebergBytes } from './bounds.ts';
import type { EncodedChunk } from './chunk.ts';
import { encodeChunk } from './chunk.ts';
import { releasePage } from './compress.ts';
import type { ChunkRecord, RowGroupRecord } from './footer.ts';
import { encodeFooter, parquetMagic } from './footer.ts';
import type { FileColumn } from './schema.ts';
import { physicalTypeOf } from './schema.ts';
import { mergeStatistics } from './statistics.ts';
import type {
  ParquetCodec,
  ParquetColumnSummary,
  ParquetFileSummary,
  ParquetWriter,
  ParquetWriterOptions,
} from './types.ts';

/** Encoded pages are handed to the output in pieces of about this size, so that few of them are held at a time. */
const FLUSH_BYTES = 1 << 20;

/**
 * Starts a Parquet file on `output`. One writer takes one `write` at a time; batches without rows are skipped, and a file
 * without any row is a valid file. After a failure the file can only be aborted; a start that fails does it.
 */
export async function createParquetWriter(options: ParquetWriterOptions): Promise<ParquetWriter> {
  const { output, codec } = options;
  const columns: readonly FileColumn[] = options.columns.map(({ column, fieldId }) => ({
    column,
    fieldId,
    physical: physicalTypeOf(column.type),
  }));
  const encoders = columns.map((file) => createColumnEncoder(file, codec));
  const groups: RowGroupRecord[] = [];
  let bytes = parquetMagic.length;
  let rows = 0;
  try {
    await output.write([parquetMagic]);
  } catch (error) {
    await output.abort();
    throw error;
  }

  return {
    async write(batch) {
      const firstRow = rows;
      if (batch.rows === 0) return { firstRow };
      checkBatch(columns, batch);
      const group = await writeGroup({ encoders, output, start: bytes }, batch);
      groups.push(group);
      bytes = group.end;
      rows += batch.rows;
      return { firstRow };
    },
    get bytes() {
      return bytes;
    },
    get rows() {
      return rows;
    },
    async close() {
      const footer = encodeFooter(columns, groups, options.keyValues);
      await output.write([footer]);
      bytes += footer.length;
      await output.close();
      return summarize(columns, groups, { rows, bytes });
    },
    abort: () => output.abort(),
  };
}

interface GroupTarget {
  readonly encoders: readonly ColumnEncoder[];
  readonly output: OutputFile;
  readonly start: number;
}

async function writeGroup(target: GroupTarget, batch: ColumnBatch): Promise<RowGroupRecord & { end: number }> {
  const chunks: ChunkRecord[] = [];
  let end = target.start;
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for (const [at, encode] of target.encoders.entries()) {
    const { pieces, ...chunk } = encode(batch.columns[at]!, batch.rows);
    chunks.push({ ...chunk, start: end });
    end += chunk.bytes;
    pending.push(...pieces);
    pendingBytes += chunk.bytes;
    if (pendingBytes < FLUSH_BYTES) continue;
    await flush(target.output, pending);
    pending = [];
    pendingBytes = 0;
  }
  if (pendingBytes > 0) await flush(target.output, pending);
  return { rows: batch.rows, start: target.start, chunks, end };
}

/** An output is done with the pieces when it answers. */
async function flush(output: OutputFile, pieces: readonly Uint8Array[]): Promise<void> {
  await output.write(pieces);
  for (const piece of pieces) releasePage(piece);
}

type ColumnEncoder = (vector: ColumnVector, rows: number) => EncodedChunk;

/** Chunks that are not tried after one that gained nothing from a dictionary. */
const SKIPPED_TRIALS = 7;

function createColumnEncoder(file: FileColumn, codec: ParquetCodec): ColumnEncoder {
  let skips = 0;
  let density = 1;
  return (vector, rows) => {
    const tried = skips === 0;
    const chunk = encodeChunk(file, vector, { rows, codec, tryDictionary: tried, density });
    density = chunk.density;
    if (chunk.dictionaryOffset !== undefined) skips = 0;
    else skips = tried ? SKIPPED_TRIALS : skips - 1;
    return chunk;
  };
}

function checkBatch(columns: readonly FileColumn[], batch: ColumnBatch): void {
  if (batch.columns.length !== columns.length) {
    throw new Failure('internal', `A batch brought ${batch.columns.length} columns for a file of ${columns.length}.`);
  }
  for (const [at, { column }] of columns.entries()) {
    const vector = batch.columns[at]!;
    if (typeWord(vector.column.type) !== typeWord(column.type)) {
      const words = `${typeWord(vector.column.type)} instead of ${typeWord(column.type)}`;
      throw new Failure('internal', `A batch brought column "${column.name}" as ${words}.`);
    }
    if (vector.nulls > 0 && !column.nullable) {
      throw new Failure(
        'value_refused',
        `Column "${column.name}" must not be null, but ${vector.nulls} rows have no value.`,
      );
    }
    const present = vector.constant ? 1 : batch.rows - vector.nulls;
    if (vector.count !== present) {
      throw new Failure(
        'internal',
        `Column "${column.name}" brought ${vector.count} values where ${present} were due.`,
      );
    }
  }
}

function summarize(
  columns: readonly FileColumn[],
  groups: readonly RowGroupRecord[],
  size: { rows: number; bytes: number },
): ParquetFileSummary {
  const summaries = columns.map((file, at) =>
    summarizeColumn(
      file,
      groups.map((group) => group.chunks[at]!),
      size.rows,
    ),
  );
  return { ...size, columns: summaries, splitOffsets: groups.map((group) => group.start) };
}

function summarizeColumn(file: FileColumn, chunks: readonly ChunkRecord[], rows: number): ParquetColumnSummary {
  const none = { nulls: 0, nans: 0, lower: undefined, upper: undefined };
  const { nulls, nans, lower, upper } = chunks.map((chunk) => chunk.statistics).reduce(mergeStatistics, none);
  return {
    fieldId: file.fieldId,
    compressedBytes: chunks.reduce((sum, chunk) => sum + chunk.bytes, 0),
    values: rows,
    nulls,
    nans,
    lower: lower === undefined ? undefined : icebergBytes(file.column.type, lower),
    upper: upper === undefined ? undefined : icebergBytes(file.column.type, upper),
  };
}
