import { Failure } from '../errors.ts';
import type { PartitionSpec, TableMetadata } from '../lakehouse/index.ts';
import {
  applyUpdates,
  blankTable,
  folderWord,
  numberAnew,
  readObject,
  readPartitionField,
  readList,
  readSchema,
  readSortFields,
  readTexts,
} from '../lakehouse/index.ts';
import { rowName } from './names.ts';
import type { NewTableInput, Place, TableId } from './types.ts';

/** When a table comes to be, and as what. */
export interface Birth {
  readonly now: number;
  readonly uuid: string;
}

/** Where a table lies when nobody says otherwise: as a sync would place it. */
export function usualLocation(home: Place, table: TableId): string {
  const { database, table: word } = rowName(table);
  return `${home.root}/${folderWord(database)}/${folderWord(word)}`;
}

/**
 * The first metadata of a table as a client describes it. Fields are numbered from 1 in the order of the schema; what
 * partitions and sort orders name follows.
 */
export function describeNewTable(input: NewTableInput, location: string, { now, uuid }: Birth): TableMetadata {
  const { 'format-version': version = '2', ...properties } = readTexts(input.properties ?? {}, 'properties');
  if (version !== '2') {
    throw new Failure('bad_request', 'Tables of this catalog have format version 2.', {
      advice: 'Leave the property "format-version" out, or set it to 2.',
    });
  }
  const { schema, newIds } = numberAnew(readSchema(input.schema).schema);
  const sourceOf = (id: number): number => {
    const renewed = newIds.get(id);
    if (renewed !== undefined) return renewed;
    throw new Failure('bad_request', `The schema has no field ${id}, which partition spec or sort order name.`);
  };
  const spec = { fields: readSpecFields(input.partitionSpec, sourceOf) };
  const sortOrder = { fields: readOrderFields(input.sortOrder, sourceOf) };
  const updates = [
    { action: 'assign-uuid', uuid },
    { action: 'set-location', location },
    { action: 'add-schema', schema },
    { action: 'set-current-schema', 'schema-id': -1 },
    { action: 'add-spec', spec },
    { action: 'set-default-spec', 'spec-id': -1 },
    { action: 'add-sort-order', 'sort-order': sortOrder },
    { action: 'set-default-sort-order', 'sort-order-id': -1 },
    { action: 'set-properties', updates: properties },
  ];
  return applyUpdates(blankTable(now), updates, now);
}

/** New numbers for the fields: those of the client count from the schema that it knew. */
function readSpecFields(value: unknown, sourceOf: (id: number) => number): unknown[] {
  if (value === undefined || value === null) return [];
  return readList(readObject(value, 'partition-spec')['fields'], 'partition-spec.fields').map((one) => {
    const { 'field-id': _own, ...field } = readPartitionField(one);
    return { ...field, 'source-id': sourceOf(field['source-id']) };
  });
}

function readOrderFields(value: unknown, sourceOf: (id: number) => number): unknown[] {
  if (value === undefined || value === null) return [];
  return readSortFields(readObject(value, 'write-order')).map((field) => ({
    ...field,
    'source-id': sourceOf(field['source-id'] as number),
  }));
}

/** What the updates of a creation have to leave behind, and what they may leave out. */
export function completeTable(metadata: TableMetadata, location: string, uuid: string): TableMetadata {
  if (!metadata.schemas.some((one) => one['schema-id'] === metadata['current-schema-id'])) {
    throw new Failure('bad_request', 'A new table needs a schema: "add-schema" and "set-current-schema".');
  }
  const plainSpec: PartitionSpec = { 'spec-id': 0, fields: [] };
  const hasSpec = metadata['partition-specs'].some((one) => one['spec-id'] === metadata['default-spec-id']);
  return {
    ...metadata,
    'table-uuid': metadata['table-uuid'] || uuid,
    location: metadata.location || location,
    ...(!hasSpec && { 'default-spec-id': 0, 'partition-specs': [plainSpec, ...metadata['partition-specs']] }),
  };
}
