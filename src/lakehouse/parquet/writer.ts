import type { ColumnBatch } from '../../columns/index.ts';
import { typeWord } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import { icebergBytes } from './bounds.ts';
import { encodeChunk } from './chunk.ts';
import type { ChunkRecord, RowGroupRecord } from './footer.ts';
import { encodeFooter, parquetMagic } from './footer.ts';
import type { FileColumn } from './schema.ts';
import { physicalTypeOf } from './schema.ts';
import { mergeStatistics } from './statistics.ts';
import type { ParquetColumnSummary, ParquetFileSummary, ParquetWriter, ParquetWriterOptions } from './types.ts';

/** Encoded pages are handed to the output in pieces of about this size, so that few of them are held at a time. */
const FLUSH_BYTES = 1 << 20;

/**
 * Starts a Parquet file on `output`. One writer takes one `write` at a time; batches without rows are skipped, and a file
 * without any row is a valid file. After a failure the file can only be aborted.
 */
export async function createParquetWriter(options: ParquetWriterOptions): Promise<ParquetWriter> {
  const { output, codec } = options;
  const columns: readonly FileColumn[] = options.columns.map(({ column, fieldId }) => ({
    column,
    fieldId,
    physical: physicalTypeOf(column.type),
  }));
  const dictionaries = columns.map(() => createDictionaryTrial());
  const groups: RowGroupRecord[] = [];
  let bytes = parquetMagic.length;
  let rows = 0;
  await output.write([parquetMagic]);

  async function writeGroup(batch: ColumnBatch): Promise<void> {
    const chunks: ChunkRecord[] = [];
    const start = bytes;
    let pending: Uint8Array[] = [];
    let pendingBytes = 0;
    for (const [at, file] of columns.entries()) {
      const trial = dictionaries[at]!;
      const encoded = encodeChunk(file, batch.columns[at]!, { rows: batch.rows, codec, tryDictionary: trial.wanted() });
      trial.note(encoded.dictionaryOffset !== undefined);
      const { pieces, ...record } = encoded;
      chunks.push({ ...record, start: bytes });
      bytes += encoded.bytes;
      pending.push(...pieces);
      pendingBytes += encoded.bytes;
      if (pendingBytes < FLUSH_BYTES && at < columns.length - 1) continue;
      await output.write(pending);
      pending = [];
      pendingBytes = 0;
    }
    groups.push({ rows: batch.rows, start, chunks });
    rows += batch.rows;
  }

  return {
    async write(batch) {
      const firstRow = rows;
      if (batch.rows === 0) return { firstRow };
      checkBatch(columns, batch);
      await writeGroup(batch);
      return { firstRow };
    },
    get bytes() {
      return bytes;
    },
    get rows() {
      return rows;
    },
    async close() {
      const footer = encodeFooter(columns, groups);
      await output.write([footer]);
      bytes += footer.length;
      await output.close();
      const summaries = columns.map((file, at) =>
        summarize(
          file,
          groups.map((group) => group.chunks[at]!),
          rows,
        ),
      );
      return {
        rows,
        bytes,
        columns: summaries,
        splitOffsets: groups.map((group) => group.start),
      } satisfies ParquetFileSummary;
    },
    abort: () => output.abort(),
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

function summarize(file: FileColumn, chunks: readonly ChunkRecord[], rows: number): ParquetColumnSummary {
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

interface DictionaryTrial {
  wanted(): boolean;
  note(paid: boolean): void;
}

/** After a chunk that gained nothing from a dictionary, the next seven are not tried. */
function createDictionaryTrial(): DictionaryTrial {
  let skips = 0;
  return {
    wanted: () => skips === 0,
    note(paid) {
      skips = paid ? 0 : skips === 0 ? 7 : skips - 1;
    },
  };
}
