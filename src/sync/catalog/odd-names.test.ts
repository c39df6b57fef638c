import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DiscoveredStream } from '../../connectors/kit/index.ts';
import { buildCatalog, differCatalogs, mergeCatalog } from './index.ts';
import { parseCatalog } from './parse.ts';

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
