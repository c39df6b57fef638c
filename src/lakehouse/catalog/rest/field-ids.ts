import type { IcebergSchema } from '../../iceberg/model.ts';
import type { Message } from './read.ts';
import { readInteger, readList, readObject, readText, refuse } from './read.ts';

/** Fields of structs, elements of lists, keys and values of maps: whatever has an id. */
type Visit = (id: number, member: Message) => number;

/** A schema with every id replaced by what `visit` answers; a struct's own fields come before what they hold. */
function mapIds(fields: readonly unknown[], visit: Visit): Message[] {
  const named = fields.map((one) => {
    const field = readObject(one, 'fields');
    readText(field, 'name');
    if (typeof field['required'] !== 'boolean') throw refuse('"required" of a field must be true or false.');
    return { ...field, id: visit(readInteger(field, 'id'), field) };
  });
  return named.map((field) => ({ ...field, type: mapType((field as Message)['type'], visit) }));
}

function mapType(type: unknown, visit: Visit): unknown {
  if (typeof type === 'string') return type;
  const nested = readObject(type, 'type');
  const id = (key: string): number => visit(readInteger(nested, key), nested);
  switch (nested['type']) {
    case 'struct':
      return { ...nested, fields: mapIds(readList(nested['fields'], 'fields'), visit) };
    case 'list': {
      const element = id('element-id');
      return { ...nested, 'element-id': element, element: mapType(nested['element'], visit) };
    }
    case 'map': {
      const [key, value] = [id('key-id'), id('value-id')];
      const types = { key: mapType(nested['key'], visit), value: mapType(nested['value'], visit) };
      return { ...nested, 'key-id': key, 'value-id': value, ...types };
    }
    default:
      throw refuse('A nested type must be struct, list or map.');
  }
}

/** A schema as a client sent it, checked; `ids` are all that its fields have. */
export function readSchema(value: unknown): { readonly schema: IcebergSchema; readonly ids: ReadonlySet<number> } {
  const message = readObject(value, 'schema');
  const ids = new Set<number>();
  const fields = mapIds(readList(message['fields'], 'schema.fields'), (id) => {
    if (ids.has(id)) throw refuse(`The field id ${id} occurs twice in the schema.`);
    ids.add(id);
    return id;
  });
  const identifiers = readList(message['identifier-field-ids'] ?? [], 'identifier-field-ids');
  for (const id of identifiers) {
    if (!ids.has(id as number)) throw refuse(`The identifier field ${String(id)} is not in the schema.`);
  }
  const schemaId = message['schema-id'] === undefined ? 0 : readInteger(message, 'schema-id');
  const schema = { ...message, type: 'struct', 'schema-id': schemaId, fields } as unknown as IcebergSchema;
  return { schema, ids };
}

/** The schema of a new table, numbered from 1 whatever the client counted, and the new id of each old one. */
export function numberAnew(schema: IcebergSchema): {
  readonly schema: IcebergSchema;
  readonly lastId: number;
  readonly newIds: ReadonlyMap<number, number>;
} {
  const newIds = new Map<number, number>();
  const fields = mapIds(schema.fields, (id) => {
    newIds.set(id, newIds.size + 1);
    return newIds.size;
  });
  const identifiers = schema['identifier-field-ids']?.map((id) => newIds.get(id)!);
  const renumbered = { ...schema, 'schema-id': 0, fields, ...(identifiers && { 'identifier-field-ids': identifiers }) };
  return { schema: renumbered as unknown as IcebergSchema, lastId: newIds.size, newIds };
}
