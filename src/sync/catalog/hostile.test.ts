import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DiscoveredStream } from '../../connectors/kit/index.ts';
import { buildCatalog, differCatalogs, mergeCatalog } from './index.ts';
import { readFilter } from './filter.ts';
import { parseCatalog } from './parse.ts';
import { resolveStream } from './resolve.ts';

const NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];

const found = NAMES.flatMap((namespace) =>
  NAMES.map((name): DiscoveredStream => ({
    namespace,
    name,
    columns: NAMES.map((column) => ({
      name: column,
      column: { name: column, type: { kind: 'long' }, nullable: true },
      sourceType: 'bigint',
      orderable: true,
    })),
    primaryKey: ['__proto__'],
    modes: ['full_refresh'],
  })),
);

test('schemas, tables and columns with the names of built-in properties are names like all others', () => {
  const catalog = buildCatalog(found, { prefix: '', database: 'd' });
  assert.deepEqual(Object.keys(catalog.selected_streams).toSorted(), NAMES.toSorted());
  for (const entries of Object.values(catalog.selected_streams)) assert.equal(entries.length, NAMES.length);
  const again = parseCatalog(JSON.parse(JSON.stringify(catalog)));
  assert.deepEqual(JSON.parse(JSON.stringify(again)), JSON.parse(JSON.stringify(catalog)));
  const listed = parseCatalog(JSON.parse(JSON.stringify(catalog.streams)));
  assert.deepEqual(Object.keys(listed.selected_streams).toSorted(), NAMES.toSorted());
  const merged = mergeCatalog(catalog, again);
  assert.deepEqual(Object.keys(merged.selected_streams).toSorted(), NAMES.toSorted());
  const none = { selected_streams: {}, streams: [] };
  assert.equal(differCatalogs(none, catalog).streams.length, found.length);
  assert.equal(differCatalogs(catalog, again).streams.length, 0);
  assert.equal(({} as { rows?: unknown }).rows, undefined);
});

test('a filter is read in a time that grows with its length only', () => {
  const blanks = ' '.repeat(2_000_000);
  const begin = performance.now();
  for (const filter of [
    blanks,
    `a${blanks}`,
    `a =${blanks}`,
    `a${blanks}= 1`,
    `${'a '.repeat(500_000)}and`,
    `"${blanks}`,
  ]) {
    try {
      readFilter({ stream_name: 's', filter });
    } catch (error) {
      assert.match((error as Error).message, /^(cannot read the filter|a filter has)/);
    }
  }
  // What grows with the square would take hours.
  assert.ok(performance.now() - begin < 20_000);
  assert.deepEqual(readFilter({ stream_name: 's', filter: ` "a b"  >=  "x > y"  AND c!=null ` }), {
    combine: 'and',
    conditions: [
      { column: 'a b', operator: '>=', value: 'x > y' },
      { column: 'c', operator: '!=', value: null },
    ],
  });
});

test('options of a wrong type or size are refused by a sentence that names the stream or the option', () => {
  const [stream] = found;
  const catalog = buildCatalog(found, { prefix: '', database: 'd' });
  const [entry] = catalog.streams;
  const [selection] = Object.values(catalog.selected_streams)[0]!;
  const resolve = (change: object) => () =>
    resolveStream({ selection: { ...selection!, ...change }, entry: entry! }, stream!);
  assert.doesNotThrow(resolve({}));
  for (const wrong of [7, `{${' '.repeat(100_000)}`, { length: 1 }]) {
    assert.throws(resolve({ partition_regex: wrong }), { kind: 'bad_request', message: /partition_regex/ });
  }
  for (const wrong of [7, true, {}, []]) {
    assert.throws(resolve({ filter: wrong }), { kind: 'bad_request', message: /filter/ });
  }
});
