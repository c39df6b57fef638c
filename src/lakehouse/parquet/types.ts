import type { Column, ColumnBatch } from '../../columns/index.ts';
import type { OutputFile } from '../storage/types.ts';

export type ParquetCodec = 'zstd' | 'snappy' | 'gzip' | 'none';

export interface ParquetWriterOptions {
  /** Columns in file order with the field id that readers match by. Batches bring the same columns in the same order. */
  readonly columns: readonly { readonly column: Column; readonly fieldId: number }[];
  readonly codec: ParquetCodec;
  readonly output: OutputFile;
  /** Texts that the footer carries besides the columns, by key. */
  readonly keyValues?: Readonly<Record<string, string>>;
}

/** One Parquet file; each batch is one row group. */
export interface ParquetWriter {
  write(batch: ColumnBatch): Promise<{ readonly firstRow: number }>;
  /** Bytes written so far. */
  readonly bytes: number;
  readonly rows: number;
  /** Writes the footer; the file is durable when this answers. */
  close(): Promise<ParquetFileSummary>;
  abort(): Promise<void>;
}

export interface ParquetFileSummary {
  readonly rows: number;
  readonly bytes: number;
  readonly columns: readonly ParquetColumnSummary[];
  /** Where each row group starts. */
  readonly splitOffsets: readonly number[];
}

export interface ParquetColumnSummary {
  readonly fieldId: number;
  readonly compressedBytes: number;
  /** Rows, nulls included. */
  readonly values: number;
  readonly nulls: number;
  readonly nans: number;
  /** Smallest and largest value in Iceberg's single-value binary form, strings whole; undefined when there is none. */
  readonly lower: Uint8Array | undefined;
  readonly upper: Uint8Array | undefined;
}
