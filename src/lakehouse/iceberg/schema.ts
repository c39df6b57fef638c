import type { Column, ColumnType } from '../../columns/index.ts';
import { typeWord } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import { formatExactJson } from './exact.ts';
import type { IcebergField, IcebergSchema } from './model.ts';

/** The Iceberg word of a column type. */
export function icebergType(type: ColumnType): string {
  if (type.kind === 'timestamp') return 'timestamptz';
  return type.kind === 'decimal' ? `decimal(${type.precision},${type.scale})` : type.kind;
}

/** The column type of an Iceberg word, or undefined for types that Penstock does not write. */
export function columnType(word: unknown): ColumnType | undefined {
  if (typeof word !== 'string') return undefined;
  const decimal = /^decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)$/.exec(word);
  if (decimal) return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) };
  if (word === 'timestamptz') return { kind: 'timestamp' };
  const plain = ['boolean', 'int', 'long', 'float', 'double', 'string'] as const;
  const kind = plain.find((candidate) => candidate === word);
  return kind && { kind };
}

export interface SchemaChange {
  readonly schema: IcebergSchema;
  readonly lastColumnId: number;
}

/** The first schema of a table; field ids count from 1 in column order. */
export function createSchema(columns: readonly Column[], identifier: string | undefined): SchemaChange {
  const fields = columns.map((column, index) => newField(column, index + 1, column.name === identifier));
  const key = fields.find((field) => field.name === identifier);
  return {
    schema: {
      type: 'struct',
      'schema-id': 0,
      ...(key && { 'identifier-field-ids': [key.id] }),
      fields,
    },
    lastColumnId: fields.length,
  };
}

/**
 * The schema that holds what the table has and what the columns bring: new columns are added as optional ones, types
 * widen in place (int → long, float → double, decimal precision). Answers the same object when nothing changes; refuses
 * (`configuration_invalid`) what would make older files unreadable.
 */
export function evolveSchema(current: IcebergSchema, columns: readonly Column[], lastColumnId: number): SchemaChange {
  const byName = new Map(columns.map((column) => [column.name, column]));
  const identifiers = new Set(current['identifier-field-ids']);
  let changed = false;
  const fields = current.fields.map((field) => {
    const next = evolveField(field, byName.get(field.name), identifiers.has(field.id));
    changed ||= next !== field;
    return next;
  });
  const known = new Set(current.fields.map((field) => field.name));
  let last = lastColumnId;
  for (const column of columns) {
    if (known.has(column.name)) continue;
    last += 1;
    fields.push(newField(column, last, false));
    changed = true;
  }
  return { schema: changed ? { ...current, fields } : current, lastColumnId: last };
}

function newField(column: Column, id: number, required: boolean): IcebergField {
  return { id, name: column.name, required, type: icebergType(column.type) };
}

function evolveField(field: IcebergField, column: Column | undefined, isIdentifier: boolean): IcebergField {
  if (!column) {
    if (isIdentifier) throw refuse(field.name, 'it identifies the rows of the table and is missing from the stream');
    return field.required ? { ...field, required: false } : field;
  }
  const type = widen(field, column.type);
  const required = field.required && (isIdentifier || !column.nullable);
  return type === field.type && required === field.required ? field : { ...field, type, required };
}

/** The wider of both types; a narrower incoming type leaves the field as it is, because readers promote it. */
function widen(field: IcebergField, incoming: ColumnType): unknown {
  const current = columnType(field.type);
  if (current) {
    if (typeWord(current) === typeWord(incoming) || promotes(incoming, current)) return field.type;
    if (promotes(current, incoming)) return icebergType(incoming);
  }
  const has = typeof field.type === 'string' ? field.type : 'a nested type';
  throw refuse(field.name, `the table holds ${has} and the stream brings ${icebergType(incoming)}`);
}

function promotes(from: ColumnType, to: ColumnType): boolean {
  if (from.kind === 'decimal' && to.kind === 'decimal') return from.scale === to.scale && from.precision < to.precision;
  return (from.kind === 'int' && to.kind === 'long') || (from.kind === 'float' && to.kind === 'double');
}

function refuse(column: string, reason: string): Failure {
  return new Failure('configuration_invalid', `Column "${column}" cannot change in place: ${reason}.`, {
    advice: 'Clear the destination table, or give the stream another table name.',
  });
}

/** Field ids of the columns, by name; every column is in the schema after `evolveSchema`. */
export function fieldIds(schema: IcebergSchema, columns: readonly Column[]): number[] {
  const ids = new Map(schema.fields.map((field) => [field.name, field.id]));
  return columns.map((column) => {
    const id = ids.get(column.name);
    if (id === undefined) throw new Failure('internal', `Column "${column.name}" has no field in the table's schema.`);
    return id;
  });
}

/** The same fields and identifiers, whatever the schema id. */
export function sameSchema(left: IcebergSchema, right: IcebergSchema): boolean {
  const essence = (schema: IcebergSchema): string =>
    formatExactJson([schema['identifier-field-ids'] ?? [], schema.fields]);
  return essence(left) === essence(right);
}
