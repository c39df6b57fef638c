import type { TableMetadata } from '../../iceberg/model.ts';
import type { Draft } from './draft.ts';
import type { TableUpdate } from './protocol.ts';
import { readInteger, readList, readObject, readText, readTexts, refuse } from './read.ts';
import { addSchema, addSortOrder, addSpec, choose } from './apply-shape.ts';
import { addSnapshot, removeRef, removeSnapshots, removeStatistics, setRef, setStatistics } from './apply-snapshots.ts';

type Apply = (draft: Draft, update: TableUpdate) => Draft;

const change = (apply: (metadata: TableMetadata, update: TableUpdate) => Partial<TableMetadata>): Apply => {
  return (draft, update) => ({ ...draft, metadata: { ...draft.metadata, ...apply(draft.metadata, update) } });
};

/** What each action does. Shapes and snapshots have files of their own. */
const actions: Readonly<Record<string, Apply>> = {
  'assign-uuid': change((table, update) => {
    const uuid = readText(update, 'uuid').toLowerCase();
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid)) throw refuse('"uuid" is not a UUID.');
    if (table['table-uuid'] !== '' && table['table-uuid'] !== uuid) throw refuse('The UUID of a table never changes.');
    return { 'table-uuid': uuid };
  }),
  'upgrade-format-version': change((_table, update) => {
    const version = readInteger(update, 'format-version');
    if (version > 2) throw refuse('Tables of this catalog have format version 2; higher ones are not supported.');
    return {};
  }),
  'add-schema': addSchema,
  'set-current-schema': choose('current-schema-id', { list: 'schemas', key: 'schema-id', last: 'lastSchema' }),
  'remove-schemas': change((table, update) => {
    const gone = new Set(readList(update['schema-ids'], 'schema-ids'));
    if (gone.has(table['current-schema-id'])) throw refuse('The current schema cannot be removed.');
    return { schemas: table.schemas.filter((one) => !gone.has(one['schema-id'])) };
  }),
  'add-spec': addSpec,
  'set-default-spec': choose('default-spec-id', { list: 'partition-specs', key: 'spec-id', last: 'lastSpec' }),
  'remove-partition-specs': change((table, update) => {
    const gone = new Set(readList(update['spec-ids'], 'spec-ids'));
    if (gone.has(table['default-spec-id'])) throw refuse('The default partition spec cannot be removed.');
    return { 'partition-specs': table['partition-specs'].filter((one) => !gone.has(one['spec-id'])) };
  }),
  'add-sort-order': addSortOrder,
  'set-default-sort-order': choose('default-sort-order-id', {
    list: 'sort-orders',
    key: 'order-id',
    last: 'lastOrder',
  }),
  'add-snapshot': addSnapshot,
  'set-snapshot-ref': setRef,
  'remove-snapshots': change((table, update) =>
    removeSnapshots(table, readList(update['snapshot-ids'], 'snapshot-ids')),
  ),
  'remove-snapshot-ref': change((table, update) => removeRef(table, readText(update, 'ref-name'))),
  'set-location': change((_table, update) => ({ location: readText(update, 'location').replace(/\/+$/, '') })),
  'set-properties': change((table, update) => {
    const { 'format-version': _version, ...set } = readTexts(update['updates'], 'updates');
    return { properties: { ...table.properties, ...set } };
  }),
  'remove-properties': change((table, update) => {
    const gone = new Set(readList(update['removals'], 'removals'));
    return { properties: Object.fromEntries(Object.entries(table.properties).filter(([key]) => !gone.has(key))) };
  }),
  'set-statistics': change((table, update) => setStatistics(table, 'statistics', update['statistics'])),
  'remove-statistics': change((table, update) => removeStatistics(table, 'statistics', update['snapshot-id'])),
  'set-partition-statistics': change((table, update) =>
    setStatistics(table, 'partition-statistics', update['partition-statistics']),
  ),
  'remove-partition-statistics': change((table, update) =>
    removeStatistics(table, 'partition-statistics', update['snapshot-id']),
  ),
};

/**
 * The table after a commit's updates, in their order; throws `bad_request` for one that is unknown, ill-formed or does
 * not fit the table. `now` is the time of the commit, at or after the last. Log of metadata files and time of the last
 * update are left to whoever writes the file.
 */
export function applyUpdates(metadata: TableMetadata, updates: readonly TableUpdate[], now: number): TableMetadata {
  let draft: Draft = { metadata, now };
  for (const update of updates) {
    const apply = Object.hasOwn(actions, update.action) ? actions[update.action] : undefined;
    if (!apply) throw refuse(`The update "${update.action}" is not known for tables of format version 2.`);
    draft = apply(draft, update);
  }
  return draft.metadata;
}

/** Updates as a client sent them. */
export function readUpdates(value: unknown): TableUpdate[] {
  return readList(value ?? [], 'updates').map((one) => {
    const update = readObject(one, 'updates');
    return { ...update, action: readText(update, 'action') };
  });
}

/** The table that the updates of a creation start from: nothing has been chosen yet. */
export function blankTable(now: number): TableMetadata {
  return {
    'format-version': 2,
    'table-uuid': '',
    location: '',
    'last-sequence-number': 0,
    'last-updated-ms': now,
    'last-column-id': 0,
    'current-schema-id': -1,
    schemas: [],
    'default-spec-id': -1,
    'partition-specs': [],
    'last-partition-id': 999,
    'default-sort-order-id': 0,
    'sort-orders': [{ 'order-id': 0, fields: [] }],
    properties: {},
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
    refs: {},
  };
}
