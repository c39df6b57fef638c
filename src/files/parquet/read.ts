import type { ColumnBatch, ColumnVector, RowExcerpt } from '../../columns/index.ts';
import { excerptRow, selectRows } from '../../columns/index.ts';
import type { ListedFile, OpenFile } from '../places/types.ts';
import type { FileColumn, Reading } from '../shapes.ts';
import { TIME_COLUMN } from '../shapes.ts';
import { openParquet } from './file.ts';
import type { ParquetSource } from './file.ts';
import type { FilledColumn } from './vectors.ts';
import { constantTime, emptyColumn, fillColumn } from './vectors.ts';
import { sliceRows } from './values.ts';

/** The columns of a file in the types that it stores. */
export async function describeParquet(opened: OpenFile, file: ListedFile): Promise<FileColumn[]> {
  const { columns } = await openParquet(opened, file);
  return columns
    .filter(({ name }) => name !== TIME_COLUMN)
    .map(({ name, type, sourceType }) => ({
      name,
      sourceType,
      column: { name, type, nullable: true },
      orderable: false,
    }));
}

/** Rows of the file, from its footer. */
export async function countParquet(opened: OpenFile, file: ListedFile): Promise<number> {
  return (await openParquet(opened, file)).rows;
}

/** Reads a file window by window, each column by column. Answers the rows read, refused ones included. */
export async function readParquet(
  opened: OpenFile,
  file: ListedFile,
  work: { readonly columns: readonly FileColumn[]; readonly reading: Reading },
): Promise<number> {
  const source = await openParquet(opened, file);
  for (const window of source.windows) {
    work.reading.signal.throwIfAborted();
    const filled: FilledColumn[] = [];
    for (const column of work.columns) filled.push(await readOne(source, { column, file, window }));
    await handOn(filled, { file, window, ...work });
  }
  return source.rows;
}

interface One {
  readonly column: FileColumn;
  readonly file: ListedFile;
  readonly window: { readonly start: number; readonly end: number };
}

async function readOne(source: ParquetSource, { column: wanted, file, window }: One): Promise<FilledColumn> {
  const { column } = wanted;
  if (wanted.name === TIME_COLUMN) return { vector: constantTime(column, file.modified), refused: new Map() };
  const stored = source.columns.find(({ name }) => name === wanted.name);
  if (!stored) return { vector: emptyColumn(column, window.end - window.start), refused: new Map() };
  return fillColumn(column, { column: stored, pieces: await source.readColumn(stored, window) }, window);
}

interface Handing extends Omit<One, 'column'> {
  readonly columns: readonly FileColumn[];
  readonly reading: Reading;
}

/** Batches of the window's rows; refused ones are told and left out. */
async function handOn(filled: readonly FilledColumn[], { file, window, columns, reading }: Handing): Promise<void> {
  const rows = window.end - window.start;
  const bytes = filled.reduce((sum, { vector }) => sum + bytesOf(vector), 0);
  const step = Math.max(1, Math.min(reading.batchRows, Math.floor(reading.batchBytes / Math.max(1, bytes / rows))));
  const names = columns.map(({ name }) => name);
  const vectorsOfWindow = filled.map(({ vector }) => vector);
  const dense = filled.map(() => 0);
  for (let from = 0; from < rows; from += step) {
    const size = Math.min(step, rows - from);
    const vectors = filled.map(({ vector }, at) => {
      if (vector.constant) return vector;
      const part = sliceRows(vector, { from, rows: size, dense: dense[at]! });
      dense[at]! += part.count;
      return part;
    });
    const refused = refuseRows(filled, {
      from,
      size,
      tell: (row, column, reason) => {
        const key = `${file.location}:${window.start + row + 1}`;
        const values = (): RowExcerpt => excerptRow(names, vectorsOfWindow, row);
        reading.refuse({ column: names[column]!, reason, key, values });
      },
    });
    reading.signal.throwIfAborted();
    const batch = withoutRows({ rows: size, columns: vectors }, refused);
    if (batch.rows > 0) await reading.sink(batch);
  }
}

function bytesOf({ values, heap, count, column }: ColumnVector): number {
  return values.byteLength + (column.type.kind === 'string' ? (values[count] ?? 0) : Math.min(heap.length, 0));
}

function refuseRows(
  filled: readonly FilledColumn[],
  span: { from: number; size: number; tell: (row: number, column: number, reason: string) => void },
): Set<number> {
  const refused = new Set<number>();
  filled.forEach((column, at) => {
    for (const [row, reason] of column.refused) {
      if (row < span.from || row >= span.from + span.size || refused.has(row - span.from)) continue;
      refused.add(row - span.from);
      span.tell(row, at, reason);
    }
  });
  return refused;
}

function withoutRows(batch: ColumnBatch, refused: ReadonlySet<number>): ColumnBatch {
  if (refused.size === 0) return batch;
  const kept = Array.from({ length: batch.rows }, (_, row) => row).filter((row) => !refused.has(row));
  return { rows: kept.length, columns: batch.columns.map((vector) => selectRows(vector, batch.rows, kept)) };
}
