import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ColumnType } from '../../columns/index.ts';
import type { DiscoveredStream, SourceColumn, SyncMode } from '../../connectors/kit/index.ts';
import type { Catalog, CatalogStream, SelectedStream } from '../types.ts';
import {
  buildCatalog,
  defaultsOf,
  differCatalogs,
  mergeCatalog,
  parseCatalog,
  parseState,
  resolveStream,
  stateValue,
  withoutStreams,
  withChange,
  writeState,
} from './index.ts';

function column(name: string, type: ColumnType, orderable = true): SourceColumn {
  return { name, sourceType: type.kind, column: { name, type, nullable: name !== 'id' }, orderable };
}

const MODES: SyncMode[] = ['full_refresh', 'incremental'];
const ORDERS: DiscoveredStream = {
  namespace: 'public',
  name: 'Order Lines',
  columns: [
    column('id', { kind: 'long' }),
    column('Amount', { kind: 'decimal', precision: 10, scale: 2 }),
    column('amount', { kind: 'double' }),
    column('updated_at', { kind: 'timestamp' }),
    column('body', { kind: 'string' }, false),
  ],
  primaryKey: ['id'],
  modes: MODES,
};
const NAMING = { prefix: 'My Job', database: 'Shop-DB' };

const fresh = (streams = [ORDERS]): Catalog => buildCatalog(streams, NAMING);
const only = (catalog: Catalog): CatalogStream['stream'] => catalog.streams[0]!.stream;

function change(catalog: Catalog, part: { stream?: object; selection?: object }): Catalog {
  const selected: Record<string, SelectedStream[]> = {};
  for (const [namespace, entries] of Object.entries(catalog.selected_streams)) {
    selected[namespace] = entries.map((entry) => ({ ...entry, ...part.selection }));
  }
  return {
    selected_streams: selected,
    streams: catalog.streams.map(({ stream }) => ({ stream: { ...stream, ...part.stream } })),
  };
}

test('a fresh catalog selects every stream, with the type words and names of the contract', () => {
  const stream = only(fresh());
  assert.equal(stream.destination_database, 'my_job_shop_db:public');
  assert.equal(stream.destination_table, 'order_lines');
  assert.equal(stream.sync_mode, 'incremental');
  assert.equal(stream.cursor_field, 'Amount');
  assert.deepEqual(stream.available_cursor_fields, ['Amount', 'amount', 'id', 'updated_at']);
  const { properties } = stream.type_schema;
  assert.deepEqual(properties['id'], { type: ['integer'], destination_column_name: 'id', olake_column: false });
  assert.deepEqual(properties['Amount']!.type, ['decimal(10,2)', 'null']);
  assert.equal(properties['amount']!.destination_column_name, 'amount_2');
  assert.equal(properties['_olake_id']!.olake_column, true);
  assert.deepEqual(fresh().selected_streams['public']![0]!.selected_columns!.columns.length, 5);
});

test('without a prefix the database has no leading underscore', () => {
  assert.equal(only(buildCatalog([ORDERS], { prefix: '', database: 'shop' })).destination_database, 'shop:public');
});

test('the mode of a fresh stream is cdc, else incremental, else strict_cdc, else full_refresh', () => {
  const modeOf = (modes: SyncMode[], columns = ORDERS.columns): string =>
    only(buildCatalog([{ ...ORDERS, modes, columns }], NAMING)).sync_mode;
  assert.equal(modeOf(['full_refresh', 'cdc', 'incremental']), 'cdc');
  assert.equal(modeOf(['full_refresh', 'strict_cdc']), 'strict_cdc');
  assert.equal(modeOf(['full_refresh', 'incremental'], [ORDERS.columns[4]!]), 'full_refresh');
  assert.deepEqual(defaultsOf('kafka'), { normalization: false, appendMode: true });
});

test('a new discovery keeps what the user chose, lists new streams unselected and drops vanished ones', () => {
  const gone = { ...ORDERS, name: 'gone' };
  const stored = change(fresh([ORDERS, gone]), {
    stream: { sync_mode: 'full_refresh', destination_table: 'mine' },
    selection: { selected_columns: { columns: ['id'], sync_new_columns: true } },
  });
  const grown = { ...ORDERS, columns: [...ORDERS.columns, column('extra', { kind: 'int' })] };
  const merged = mergeCatalog(fresh([grown, { ...ORDERS, name: 'new' }]), stored);
  assert.deepEqual(
    merged.streams.map(({ stream }) => stream.name),
    ['Order Lines', 'new'],
  );
  assert.equal(only(merged).sync_mode, 'full_refresh');
  assert.equal(only(merged).destination_table, 'mine');
  const selections = merged.selected_streams['public']!;
  assert.deepEqual(
    selections.map((entry) => entry.stream_name),
    ['Order Lines'],
  );
  assert.deepEqual(selections[0]!.selected_columns!.columns, ['id', 'extra']);
});

test('an unchanged catalog has no difference; columns, chunk column and deselection are none either', () => {
  const stored = fresh();
  assert.deepEqual(differCatalogs(stored, fresh()), { selected_streams: {}, streams: [] });
  const other = change(stored, { selection: { chunk_column: 'id', selected_columns: { columns: ['id'] } } });
  assert.deepEqual(differCatalogs(stored, other).streams, []);
  assert.deepEqual(differCatalogs(stored, { ...stored, selected_streams: {} }).streams, []);
});

test('whatever shapes the table is a difference, told with the old destination', () => {
  const stored = fresh();
  const changes = [
    { selection: { normalization: false } },
    { selection: { partition_regex: '/{id, bucket[4]}' } },
    { selection: { append_mode: true } },
    { selection: { filter: 'id > 3' } },
    { selection: { use_source_column_names: true } },
    { stream: { sync_mode: 'full_refresh' } },
    { stream: { cursor_field: 'id' } },
    { stream: { destination_table: 'elsewhere' } },
  ];
  for (const part of changes) {
    const difference = differCatalogs(stored, change(stored, part));
    assert.equal(difference.streams.length, 1, JSON.stringify(part));
    assert.equal(only(difference).destination_table, 'order_lines');
  }
  const refresh = change(stored, { stream: { sync_mode: 'full_refresh' } });
  assert.deepEqual(differCatalogs(refresh, change(refresh, { stream: { cursor_field: 'id' } })).streams, []);
  assert.equal(differCatalogs({ selected_streams: {}, streams: [] }, stored).streams.length, 1);
});

test('catalogs are read as objects, arrays, texts and with retired spellings', () => {
  const old = { stream_name: 'Order Lines', split_column: 'id', append_only: true };
  const catalog = parseCatalog(JSON.stringify({ ...fresh(), selected_streams: { public: [old] } }));
  assert.deepEqual(catalog.selected_streams['public'], [
    { stream_name: 'Order Lines', chunk_column: 'id', append_mode: true },
  ]);
  const listed = parseCatalog([{ name: 'a', namespace: 'n' }]);
  assert.equal(listed.selected_streams['n']![0]!.stream_name, 'a');
  for (const bad of [3, 'x', { streams: 3 }, { streams: [{}] }, { selected_streams: { a: [{}] } }]) {
    assert.throws(() => parseCatalog(bad), { kind: 'bad_request' });
  }
});

test('a selection resolves to source columns, table columns and a filter', () => {
  const catalog = change(fresh(), {
    selection: {
      selected_columns: { columns: ['updated_at'], sync_new_columns: false },
      filter_config: { logical_operator: 'and', conditions: [{ column: 'amount', operator: '>', value: 3 }] },
    },
  });
  const chosen = { selection: catalog.selected_streams['public']![0]!, entry: catalog.streams[0]! };
  const stream = resolveStream(chosen, ORDERS);
  assert.deepEqual(
    stream.selection.columns.map(({ name }) => name),
    ['id', 'Amount', 'updated_at'],
  );
  const names = stream.tableColumns.map(({ name }) => name);
  assert.deepEqual(names, ['id', 'amount', 'updated_at', '_olake_id', '_olake_timestamp', '_op_type']);
  assert.equal(stream.tableColumns.find(({ name }) => name === '_olake_id')!.nullable, false);
  assert.deepEqual(stream.table, { database: 'my_job_shop_db_public', table: 'order_lines' });
  assert.deepEqual(stream.selection.filter!.conditions.length, 1);
});

test('new source columns join, columns named like added ones do not, partitions use table names', () => {
  const grown = {
    ...ORDERS,
    columns: [...ORDERS.columns, column('AMOUNT', { kind: 'int' }), column('_op_type', { kind: 'int' })],
  };
  const catalog = change(fresh(), { selection: { partition_regex: '/{AMOUNT, bucket[4]}' } });
  const chosen = { selection: catalog.selected_streams['public']![0]!, entry: catalog.streams[0]! };
  const stream = resolveStream(chosen, grown);
  assert.equal(stream.lakeColumns.at(-1)!.name, 'amount_3');
  assert.equal(stream.partition, '/{amount_3, bucket[4]}');
  assert.equal(stream.tableColumns.filter(({ name }) => name === '_op_type').length, 1);
});

test('what cannot be synced is refused with the stream named', () => {
  const resolve = (part: { stream?: object; selection?: object }): unknown => {
    const catalog = change(fresh(), part);
    return resolveStream({ selection: catalog.selected_streams['public']![0]!, entry: catalog.streams[0]! }, ORDERS);
  };
  assert.throws(() => resolve({ stream: { sync_mode: 'cdc' } }), /public\.Order Lines.*change log/);
  assert.throws(() => resolve({ stream: { cursor_field: 'body' } }), /has no order/);
  assert.throws(() => resolve({ stream: { cursor_field: 'nope' } }), /no column "nope"/);
  assert.throws(() => resolve({ selection: { partition_regex: '/{nope, day}' } }), /no column "nope"/);
  assert.throws(() => resolve({ selection: { schema_policy: 'guess' } }), /Order Lines: schema_policy must be/);
  assert.throws(() => resolve({ selection: { deletes: 'drop' } }), /Order Lines: deletes must be one of mark, apply/);
  assert.throws(() => resolve({ selection: { delete_mode: 'soft' } }), /delete_mode must be one of equality, position/);
  const three = [1, 2, 3].map((value) => ({ column: 'id', operator: '=', value }));
  assert.throws(() => resolve({ selection: { filter_config: { logical_operator: 'or', conditions: three } } }), /two/);
});

test('filters of older catalogs are read as text', () => {
  const catalog = change(fresh(), { selection: { filter: 'id >= 3 or body = "x y"' } });
  const { selection } = resolveStream(
    { selection: catalog.selected_streams['public']![0]!, entry: catalog.streams[0]! },
    ORDERS,
  );
  assert.deepEqual(selection.filter, {
    combine: 'or',
    conditions: [
      { column: 'id', operator: '>=', value: '3' },
      { column: 'body', operator: '=', value: 'x y' },
    ],
  });
});

test('state files keep every number and spell values as the contract says', () => {
  const state = parseState(
    '{"type":"STREAM","version":7,"streams":[{"stream":"t","namespace":"n","sync_mode":"","state":{"id":9007199254740993}}]}',
  );
  const entry = {
    stream: 'u',
    namespace: 'n',
    sync_mode: '',
    state: { id: stateValue('9223372036854775807', 'long'), at: stateValue('2026-01-02T03:04:05.6Z', 'timestamp') },
  };
  const text = writeState(withChange(state, { streams: [entry] }));
  assert.match(text, /"id":9007199254740993\}/);
  assert.match(text, /"id":9223372036854775807,"at":"2026-01-02T03:04:05\.600000000Z"/);
  assert.deepEqual(withoutStreams(parseState(text), new Set(['n.t', 'n.u'])), {});
  for (const bad of ['[]', 'x', '{"streams":3}', '{"streams":[{}]}', '{"type":"OTHER"}']) {
    assert.throws(() => parseState(bad), { kind: 'bad_request' });
  }
});
