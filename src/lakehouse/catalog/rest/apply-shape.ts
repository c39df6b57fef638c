import type { PartitionField, PartitionSpec, TableMetadata } from '../../iceberg/model.ts';
import { sameSchema } from '../../iceberg/schema.ts';
import type { Draft } from './draft.ts';
import { readSchema } from './field-ids.ts';
import type { TableUpdate } from './protocol.ts';
import type { Message } from './read.ts';
import { readInteger, readList, readObject, readText, refuse } from './read.ts';

const nextId = (ids: readonly number[], least: number): number => Math.max(least - 1, ...ids) + 1;

/** An equal schema is used again; ids are ours to give. */
export function addSchema(draft: Draft, update: TableUpdate): Draft {
  const { metadata } = draft;
  const { schema, ids } = readSchema(update['schema']);
  const known = metadata.schemas.find((one) => sameSchema(one, schema));
  const id =
    known?.['schema-id'] ??
    nextId(
      metadata.schemas.map((one) => one['schema-id']),
      0,
    );
  const schemas = known ? metadata.schemas : [...metadata.schemas, { ...schema, 'schema-id': id }];
  const lastColumn = Math.max(metadata['last-column-id'], ...ids);
  return { ...draft, metadata: { ...metadata, schemas, 'last-column-id': lastColumn }, lastSchema: id };
}

/** An equal spec is used again; fields without an id take that of an equal older one, or the next. */
export function addSpec(draft: Draft, update: TableUpdate): Draft {
  const { metadata } = draft;
  const specs = metadata['partition-specs'];
  const older = specs.flatMap((spec) => spec.fields);
  let last = metadata['last-partition-id'];
  const message = readObject(update['spec'], 'spec');
  const fields = readList(message['fields'], 'spec.fields').map((one): PartitionField => {
    const field = readPartitionField(one);
    const alike = older.find(
      (known) => known['source-id'] === field['source-id'] && known.transform === field.transform,
    );
    const id = field['field-id'] ?? alike?.['field-id'] ?? last + 1;
    last = Math.max(last, id);
    return { ...field, 'field-id': id };
  });
  checkDistinct(fields);
  const known = specs.find((spec) => specEssence(spec) === specEssence({ fields }));
  const id =
    known?.['spec-id'] ??
    nextId(
      specs.map((spec) => spec['spec-id']),
      0,
    );
  const changed = {
    ...metadata,
    'last-partition-id': last,
    'partition-specs': known ? specs : [...specs, { 'spec-id': id, fields }],
  };
  return { ...draft, metadata: changed, lastSpec: id };
}

function checkDistinct(fields: readonly PartitionField[]): void {
  for (const key of ['name', 'field-id'] as const) {
    if (new Set(fields.map((field) => field[key])).size < fields.length) {
      throw refuse(`Two fields of the partition spec have the same ${key}.`);
    }
  }
}

export const specEssence = ({ fields }: Pick<PartitionSpec, 'fields'>): string =>
  JSON.stringify(fields.map((field) => [field['source-id'], field['field-id'], field.name, field.transform]));

/** A partition field as a client sent it; without an id it gets one later. */
export function readPartitionField(
  value: unknown,
): Omit<PartitionField, 'field-id'> & { readonly 'field-id'?: number } {
  const field = readObject(value, 'spec.fields');
  return {
    'source-id': readInteger(field, 'source-id'),
    ...(field['field-id'] !== undefined && { 'field-id': readInteger(field, 'field-id') }),
    name: readText(field, 'name'),
    transform: readText(field, 'transform'),
  };
}

/** An equal order is used again; the order without fields is number 0. */
export function addSortOrder(draft: Draft, update: TableUpdate): Draft {
  const { metadata } = draft;
  const orders = metadata['sort-orders'];
  const fields = readSortFields(readObject(update['sort-order'], 'sort-order'));
  const known = orders.find((order) => JSON.stringify(order.fields) === JSON.stringify(fields));
  const id =
    known?.['order-id'] ??
    (fields.length === 0
      ? 0
      : nextId(
          orders.map((order) => order['order-id']),
          1,
        ));
  const changed = known ? orders : [...orders, { 'order-id': id, fields }];
  return { ...draft, metadata: { ...metadata, 'sort-orders': changed }, lastOrder: id };
}

export function readSortFields(order: Message): Message[] {
  return readList(order['fields'], 'sort-order.fields').map((one) => {
    const field = readObject(one, 'sort-order.fields');
    return {
      transform: readText(field, 'transform'),
      'source-id': readInteger(field, 'source-id'),
      direction: readText(field, 'direction'),
      'null-order': readText(field, 'null-order'),
    };
  });
}

interface Chosen {
  readonly list: 'schemas' | 'partition-specs' | 'sort-orders';
  readonly key: 'schema-id' | 'spec-id' | 'order-id';
  readonly last: 'lastSchema' | 'lastSpec' | 'lastOrder';
}

/** Makes one of a list the current one; -1 means the last that this commit added. */
export function choose(target: keyof TableMetadata & string, { list, key, last }: Chosen) {
  const asked = key === 'order-id' ? 'sort-order-id' : key;
  return (draft: Draft, update: TableUpdate): Draft => {
    const { metadata } = draft;
    const given = readInteger(update, asked);
    const id = given === -1 ? draft[last] : given;
    const known = metadata[list].some((one) => (one as unknown as Message)[key] === id);
    if (id === undefined || !known) throw refuse(`"${asked}" names nothing that the table has.`);
    return { ...draft, metadata: { ...metadata, [target]: id } };
  };
}
