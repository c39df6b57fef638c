import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createColumnBuilder } from '../../../columns/index.ts';
import type { Column, ColumnBatch, ColumnVector } from '../../../columns/index.ts';
import type { StreamSelection } from '../../../connectors/kit/index.ts';
import { BOUNDARY_LIMIT, trackBoundary } from './boundary.ts';
import { createMatcher, microsOf } from './match.ts';

const ID: Column = { name: 'id', type: { kind: 'string' }, nullable: false };
const AT: Column = { name: 'at', type: { kind: 'timestamp' }, nullable: true };
const NUMBER: Column = { name: 'n', type: { kind: 'long' }, nullable: true };

type Row = readonly [id: string, at: bigint | null, n: bigint | null];

function batch(rows: readonly Row[]): { batch: ColumnBatch; identity: ColumnVector } {
  const columns = [ID, AT, NUMBER].map((column, at) => {
    const builder = createColumnBuilder(column, rows.length);
    for (const row of rows) builder.append(row[at]!);
    return builder.finish();
  });
  return { batch: { rows: rows.length, columns }, identity: columns[0]! };
}

const selection = {
  columns: [ID, AT, NUMBER].map((column) => ({ name: column.name, sourceType: '', column, orderable: true })),
  primaryKey: ['id'],
} as unknown as StreamSelection;
const cursor = { column: 'at', fallback: 'n' };

test('rows written at the last value are left out, others at the same value are new', () => {
  const tracker = trackBoundary(selection, cursor, { values: { primary: null, fallback: null } });
  const first = batch([
    ['a', 1n, null],
    ['b', 2n, null],
    ['c', 2n, null],
    ['d', null, 7n],
  ]);
  tracker.advance(first.batch, first.identity);
  assert.deepEqual(tracker.values, { primary: '1970-01-01T00:00:00.000002Z', fallback: '7' });
  const { boundary, values } = tracker;
  assert.deepEqual([boundary.primary.length, boundary.fallback.length], [2, 1]);
  const next = batch([
    ['b', 2n, null],
    ['late', 2n, null],
    ['c', 3n, null],
    ['d', null, 7n],
    ['e', null, 7n],
  ]);
  const marks = trackBoundary(selection, cursor, { values, boundary }).markNew(next.batch, next.identity);
  assert.deepEqual([...marks], [0, 1, 1, 0, 1]);
});

test('ties go on over batches and end when the value moves', () => {
  const tracker = trackBoundary(selection, cursor, { values: { primary: null, fallback: null } });
  for (const rows of [[['a', 5n, null]], [['b', 5n, null]]] as Row[][]) {
    const { batch: one, identity } = batch(rows);
    tracker.advance(one, identity);
  }
  assert.equal(tracker.boundary.primary.length, 2);
  const moved = batch([['c', 6n, null]]);
  tracker.advance(moved.batch, moved.identity);
  assert.equal(tracker.boundary.primary.length, 1);
});

test('beyond the limit every row at the last value counts as written', () => {
  const rows = Array.from({ length: BOUNDARY_LIMIT + 1 }, (_, at): Row => [`k${at}`, 9n, null]);
  const tracker = trackBoundary(selection, cursor, { values: { primary: null, fallback: null } });
  const all = batch(rows);
  tracker.advance(all.batch, all.identity);
  const { boundary, values } = tracker;
  assert.deepEqual(boundary, { primary: [], fallback: [], overflow: true });
  const next = batch([
    ['new', 9n, null],
    ['newer', 10n, null],
  ]);
  const marks = trackBoundary(selection, cursor, { values, boundary }).markNew(next.batch, next.identity);
  assert.deepEqual([...marks], [0, 1]);
});

test('times are the same in every spelling of a source', () => {
  const spellings = ['2026-01-02T03:04:05.600000Z', '2026-01-02 03:04:05.6+00', '2026-01-02T05:04:05.6+02:00'];
  assert.equal(new Set(spellings.map(microsOf)).size, 1);
  const { batch: one } = batch([['a', microsOf(spellings[0]!)!, 2n ** 62n + 1n]]);
  for (const text of spellings) assert.equal(createMatcher(one.columns[1], text)(0), true);
  assert.equal(createMatcher(one.columns[2], String(2n ** 62n + 1n))(0), true);
  assert.equal(createMatcher(one.columns[2], String(2n ** 62n))(0), false);
  assert.equal(createMatcher(one.columns[2], null)(0), false);
});

test('what another process has collected at the same values is left out as well', () => {
  const values = { primary: '1970-01-01T00:00:00.000002Z', fallback: null };
  const [here, elsewhere] = [
    trackBoundary(selection, cursor, { values }),
    trackBoundary(selection, cursor, { values }),
  ];
  const mine = batch([['a', 2n, null]]);
  const theirs = batch([['b', 2n, null]]);
  here.collect(mine.batch, mine.identity);
  elsewhere.collect(theirs.batch, theirs.identity);
  here.merge(JSON.parse(JSON.stringify(elsewhere.boundary)) as typeof elsewhere.boundary);
  const again = batch([
    ['a', 2n, null],
    ['b', 2n, null],
    ['c', 2n, null],
  ]);
  const next = trackBoundary(selection, cursor, { values, boundary: here.boundary });
  assert.deepEqual([...next.markNew(again.batch, again.identity)], [0, 0, 1]);
  here.merge({ primary: [], fallback: [], overflow: true });
  assert.equal(here.boundary.overflow, true);
});

test('without a key equal rows are counted: as many as were written are left out, one more is new', () => {
  const keyless = { ...selection, primaryKey: [] };
  const values = { primary: '1970-01-01T00:00:00.000005Z', fallback: null };
  const rows = (ids: readonly string[]) => batch(ids.map((id) => [id, 5n, null] as const));
  const load = trackBoundary(keyless, cursor, { values });
  for (const ids of [['a', 'a', 'b'], ['a']]) {
    const chunk = load.fork();
    const { batch: one, identity } = rows(ids);
    chunk.collect(one, identity);
    load.merge(chunk.boundary);
  }
  const { boundary } = load;
  assert.equal(boundary.primary.length, 4);

  const written = trackBoundary(keyless, cursor, { values, boundary });
  const marks = [
    ['a', 'b', 'a'],
    ['a', 'a', 'b', 'c'],
  ].flatMap((ids) => {
    const { batch: one, identity } = rows(ids);
    return [...written.markNew(one, identity)];
  });
  assert.deepEqual(marks, [0, 0, 0, 0, 1, 1, 1], 'three a and one b were there');

  const again = trackBoundary(keyless, cursor, { values, boundary });
  const { batch: same, identity } = rows(['a', 'a', 'a', 'b']);
  again.advance(same, identity);
  assert.deepEqual(again.boundary, boundary, 'reading them again adds nothing');

  const resumed = trackBoundary(keyless, cursor, { values, boundary, adds: true });
  const other = rows(['a']);
  resumed.collect(other.batch, other.identity);
  assert.equal(resumed.boundary.primary.length, 5, 'rows of a chunk still to be read are others');
});
