import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createColumnBuilder, readRows, typeWord } from '../../../columns/index.ts';
import type { Column, ColumnBatch, ColumnType, ColumnValue } from '../../../columns/index.ts';
import type { RefusedRow } from '../../../connectors/kit/index.ts';
import type { ResolvedStream, SchemaPolicy } from '../../catalog/index.ts';
import { createFit, fitStream } from './index.ts';

const TEXT: ColumnType = { kind: 'string' };
const INT: ColumnType = { kind: 'int' };
const LONG: ColumnType = { kind: 'long' };
const DOUBLE: ColumnType = { kind: 'double' };
const DECIMAL: ColumnType = { kind: 'decimal', precision: 10, scale: 2 };
const TIME: ColumnType = { kind: 'timestamp' };

function column(name: string, type: ColumnType): Column {
  return { name, type, nullable: true };
}

function stream(columns: readonly Column[], schemaPolicy: SchemaPolicy = 'evolve'): ResolvedStream {
  return {
    id: 's.t',
    mode: 'incremental',
    selection: {
      namespace: 's',
      name: 't',
      columns: columns.map((one) => ({ name: one.name, sourceType: '', column: one, orderable: true })),
      primaryKey: ['id'],
    },
    table: { database: 'd', table: 't' },
    lakeColumns: columns,
    tableColumns: [...columns, column('_olake_id', TEXT)],
    normalization: true,
    appendMode: false,
    schemaPolicy,
    logColumns: [],
  };
}

function batchOf(columns: readonly Column[], rows: readonly (readonly (ColumnValue | null)[])[]): ColumnBatch {
  const vectors = columns.map((one, at) => {
    const builder = createColumnBuilder(one, rows.length);
    for (const row of rows) builder.append(row[at]!);
    return builder.finish();
  });
  return { rows: rows.length, columns: vectors };
}

/** What the rows become when the second column must be of type `to`: values by row, and what was refused. */
function fitValues(from: ColumnType, to: ColumnType, values: readonly (ColumnValue | null)[]) {
  const columns = [column('id', INT), column('v', from)];
  const fitted = fitStream(stream(columns, 'freeze'), [column('id', INT), column('v', to)], () => undefined);
  const refused: RefusedRow[] = [];
  const fit = createFit(fitted)!;
  const rows = values.map((value, at) => [at, value]);
  const { batch } = fit(batchOf(columns, rows), (row) => void refused.push(row));
  assert.equal(typeWord(batch.columns[1]!.column.type), typeWord(to));
  return { values: readRows(batch.columns[1]!, batch.rows), refused: refused.map((row) => row.key) };
}

test('anything into text is written as the text of its value', () => {
  assert.deepEqual(fitValues(INT, TEXT, [1, null, -3]).values, ['1', null, '-3']);
  assert.deepEqual(fitValues(DECIMAL, TEXT, [1250n]).values, ['12.50']);
  assert.deepEqual(fitValues(TIME, TEXT, [0n]).values, ['1970-01-01T00:00:00.000000Z']);
});

test('text into a number is parsed, and refused by its key where it is none', () => {
  assert.deepEqual(fitValues(TEXT, LONG, ['9223372036854775807', 'x', null, '1.0', '1.5']), {
    values: [9223372036854775807n, null, 1n],
    refused: ['1', '4'],
  });
  assert.deepEqual(fitValues(TEXT, DECIMAL, ['12.5', '-0.01', '1.234', '123456789.00']).refused, ['2', '3']);
});

test('numbers never lose digits: what is fractional or too large for the column is refused', () => {
  assert.deepEqual(fitValues(DOUBLE, LONG, [2, 2.5, Number.NaN, 1e300]), { values: [2n], refused: ['1', '2', '3'] });
  assert.deepEqual(fitValues(LONG, INT, [2147483647n, 2147483648n]), { values: [2147483647], refused: ['1'] });
  assert.deepEqual(fitValues(LONG, DOUBLE, [9007199254740993n, 5n]), { values: [5], refused: ['0'] });
});

test('a wider type of the source widens the table, so nothing is converted', () => {
  const columns = [column('id', LONG)];
  const fitted = fitStream(stream(columns), [column('id', INT)], () => undefined);
  assert.equal(createFit(fitted), undefined);
  assert.deepEqual(fitted.lakeColumns, columns);
});

test('a frozen table takes no new column up, and says so', () => {
  const columns = [column('id', INT), column('fresh', TEXT)];
  const warnings: string[] = [];
  const fitted = fitStream(stream(columns, 'freeze'), [column('id', INT)], (message) => warnings.push(message));
  assert.deepEqual(
    fitted.selection.columns.map((one) => one.name),
    ['id'],
  );
  assert.deepEqual(
    fitted.tableColumns.map((one) => one.name),
    ['id', '_olake_id'],
  );
  assert.match(warnings.join(), /fresh/);
});

test('under quarantine a row with a value in a column that the table lacks is refused, others pass', () => {
  const columns = [column('id', INT), column('fresh', TEXT)];
  const fitted = fitStream(stream(columns, 'quarantine'), [column('id', INT)], () => undefined);
  const refused: RefusedRow[] = [];
  const rows = [
    [1, null],
    [2, 'x'],
    [3, null],
  ] as const;
  const { batch, marks } = createFit(fitted)!(batchOf(columns, rows), (row) => void refused.push(row));
  assert.deepEqual(readRows(batch.columns[0]!, batch.rows), [1, 3]);
  assert.deepEqual([...marks!], [1, 0, 1]);
  assert.deepEqual(
    refused.map(({ column: name, key, values }) => [name, key, values!()]),
    [['fresh', '2', { id: '2', fresh: 'x' }]],
  );
});
