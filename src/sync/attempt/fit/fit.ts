import { createColumnBuilder, excerptRow, readValue, typeWord } from '../../../columns/index.ts';
import type { Column, ColumnBatch, ColumnVector, RowExcerpt } from '../../../columns/index.ts';
import type { RefusedRow } from '../../../connectors/kit/index.ts';
import { Failure } from '../../../errors.ts';
import type { ResolvedStream } from '../../catalog/index.ts';
import { isPresent, keepRows, textOfRow } from '../decorate/index.ts';
import { conversionOf } from './convert.ts';

/** What became of a batch: the rows that fit, and which those are (1 = kept) where some do not. */
export interface Fitted {
  readonly batch: ColumnBatch;
  readonly marks?: Uint8Array;
}

export type Fit = (batch: ColumnBatch, refuse: (row: RefusedRow) => void) => Fitted;

/**
 * Turns batches of the source into batches of the types that the table has. Undefined when they are the same. A row with
 * a value that cannot be converted, or that has no column in the table, is refused.
 */
export function createFit(stream: ResolvedStream): Fit | undefined {
  if (!stream.normalization) return undefined;
  const { columns } = stream.selection;
  const changed = stream.lakeColumns.flatMap((column, at) =>
    typeWord(column.type) === typeWord(columns[at]!.column.type) ? [] : [at],
  );
  const closed = columns.slice(stream.lakeColumns.length).map((_, index) => stream.lakeColumns.length + index);
  if (changed.length === 0 && closed.length === 0) return undefined;
  const names = columns.map(({ name }) => name);
  const keyAt = stream.selection.primaryKey.map((name) => columns.findIndex((column) => column.name === name));
  return (batch, refuse) => {
    const marks = new Uint8Array(batch.rows).fill(1);
    const refuseRow = (at: number, row: number, reason: string): void => {
      if (marks[row] === 0) return;
      marks[row] = 0;
      const key = keyAt.map((index) => textOfRow(batch.columns[index]!, row) ?? 'null').join(', ');
      const values = (): RowExcerpt => excerptRow(names, batch.columns, row);
      refuse({ column: names[at]!, reason, key: key || `row ${row} of a batch`, values });
    };
    const vectors = [...batch.columns];
    for (const at of changed) {
      const column = { ...columns[at]!.column, type: stream.lakeColumns[at]!.type, nullable: true };
      vectors[at] = convert(vectors[at]!, { column, rows: batch.rows }, (row, reason) => refuseRow(at, row, reason));
    }
    for (const at of closed) {
      const reason = 'the table has no such column, and the schema_policy of the stream adds none';
      forEachValue(vectors[at]!, batch.rows, (row) => refuseRow(at, row, reason));
    }
    const fitted = { rows: batch.rows, columns: vectors };
    return marks.includes(0) ? { batch: keepRows(fitted, marks), marks } : { batch: fitted };
  };
}

function convert(
  vector: ColumnVector,
  to: { readonly column: Column; readonly rows: number },
  refuse: (row: number, reason: string) => void,
): ColumnVector {
  const conversion = conversionOf(vector.column.type, to.column.type);
  const builder = createColumnBuilder(to.column, to.rows);
  const reason = `a ${vector.column.type.kind} of the source does not fit the table's ${typeWord(to.column.type)}`;
  let index = 0;
  for (let row = 0; row < to.rows; row++) {
    const value = isPresent(vector, row) ? readValue(vector, index++) : null;
    const converted = value === null ? null : conversion(value);
    if (converted === undefined || !takes(builder, converted)) {
      builder.append(null);
      refuse(row, reason);
    }
  }
  return builder.finish();
}

/** False, and nothing taken, when the value is too large for the type. */
function takes(builder: ReturnType<typeof createColumnBuilder>, value: Parameters<typeof builder.append>[0]): boolean {
  try {
    builder.append(value);
    return true;
  } catch (error) {
    if (error instanceof Failure && error.kind === 'value_refused') return false;
    throw error;
  }
}

function forEachValue(vector: ColumnVector, rows: number, visit: (row: number) => void): void {
  if (vector.nulls === rows && vector.constant !== true) return;
  for (let row = 0; row < rows; row++) if (vector.constant === true || isPresent(vector, row)) visit(row);
}
