import { createHash } from 'node:crypto';
import { Failure } from '../../errors.ts';
import type {
  IcebergField,
  IcebergSchema,
  PartitionField,
  PartitionSpec,
  PartitionValue,
  TableMetadata,
} from './model.ts';
import type { Transform } from './transform.ts';
import { parseTransform, partitionText, transformWord, transformedType } from './transform.ts';

/** Tables without partitioning, and delete files that apply to every partition. */
export const unpartitioned: readonly PartitionField[] = [];

const FIRST_PARTITION_FIELD_ID = 1000;

/** One partition field, ready to be applied. */
export interface BoundPartitionField {
  readonly fieldId: number;
  readonly name: string;
  readonly sourceId: number;
  readonly sourceName: string;
  readonly transform: Transform;
  /** Iceberg type of the partition's values. */
  readonly type: string;
}

/**
 * Reads `/{column, transform}/{…}` (OLake contract 7.8) into partition fields of the schema, without ids. `now()` stands
 * for `_olake_timestamp`. Unknown columns and transforms are refused before anything is written.
 */
export function parsePartition(text: string, schema: IcebergSchema): Omit<PartitionField, 'field-id'>[] {
  const trimmed = text.trim();
  const parts = [...trimmed.matchAll(/\/?\{\s*([^,{}]+?)\s*,\s*([^,{}]+?)\s*\}/g)];
  const matched = parts.map((part) => part[0]).join('');
  if (matched !== trimmed) {
    throw new Failure('configuration_invalid', `The partition "${text}" is not of the form /{column, transform}.`);
  }
  const fields: Omit<PartitionField, 'field-id'>[] = [];
  for (const [, column, word] of parts) {
    const transform = parseTransform(word!);
    const source = sourceField(schema, column === 'now()' ? '_olake_timestamp' : column!);
    transformedType(transform, String(source.type));
    fields.push({
      'source-id': source.id,
      name: freeName(partitionName(source.name, transform), [...fields, ...schema.fields], source.name),
      transform: transformWord(transform),
    });
  }
  return fields;
}

function sourceField(schema: IcebergSchema, name: string): IcebergField {
  const field = schema.fields.find((candidate) => candidate.name === name);
  if (field) return field;
  throw new Failure(
    'configuration_invalid',
    `The partition names the column "${name}", which the stream does not have.`,
  );
}

function partitionName(column: string, transform: Transform): string {
  if (transform.kind === 'identity') return column;
  return `${column}_${transform.kind === 'truncate' ? 'trunc' : transform.kind === 'void' ? 'null' : transform.kind}`;
}

/** Partition names share one space with column names, save that an identity partition bears its column's name. */
function freeName(wanted: string, taken: readonly { readonly name: string }[], source: string): string {
  const isTaken = (name: string): boolean => name !== source && taken.some((field) => field.name === name);
  let name = wanted;
  for (let count = 2; isTaken(name); count++) name = `${wanted}_${count}`;
  return name;
}

/** Gives the fields ids: those of an equal older field where there is one, as readers expect, else new ones. */
export function numberPartitionFields(
  fields: readonly Omit<PartitionField, 'field-id'>[],
  specs: readonly PartitionSpec[],
  lastId: number,
): { readonly fields: readonly PartitionField[]; readonly lastId: number } {
  const known = specs.flatMap((spec) => spec.fields);
  let last = Math.max(lastId, FIRST_PARTITION_FIELD_ID - 1);
  const numbered = fields.map((field) => {
    const older = known.find(
      (one) => one['source-id'] === field['source-id'] && one.transform === field.transform && one.name === field.name,
    );
    return { ...field, 'field-id': older?.['field-id'] ?? ++last };
  });
  return { fields: numbered, lastId: last };
}

/** The spec's fields with their transforms and types, for the schemas known; fields of dropped columns become void. */
export function bindSpec(spec: PartitionSpec, schemas: readonly IcebergSchema[]): BoundPartitionField[] {
  return spec.fields.map((field) => {
    const source = findField(schemas, field['source-id']);
    const sourceType = typeof source?.type === 'string' ? source.type : 'int';
    const transform = parseTransform(source ? field.transform : 'void');
    return {
      fieldId: field['field-id'],
      name: field.name,
      sourceId: field['source-id'],
      sourceName: source?.name ?? '',
      transform,
      type: transformedType(transform, sourceType),
    };
  });
}

/** A schema that has all columns of the spec: the current one, or the newest from before one of them was dropped. */
export function schemaOfSpec(
  { schemas, 'current-schema-id': current }: Pick<TableMetadata, 'schemas' | 'current-schema-id'>,
  spec: PartitionSpec,
): IcebergSchema {
  const byAge = schemas.toSorted((left, right) => right['schema-id'] - left['schema-id']);
  const inOrder = [...byAge.filter((one) => one['schema-id'] === current), ...byAge];
  const holds = (schema: IcebergSchema): boolean =>
    spec.fields.every((field) => schema.fields.some((one) => one.id === field['source-id']));
  return inOrder.find(holds) ?? inOrder[0]!;
}

function findField(schemas: readonly IcebergSchema[], id: number): IcebergField | undefined {
  for (const schema of schemas.toReversed()) {
    const field = schema.fields.find((candidate) => candidate.id === id);
    if (field) return field;
  }
  return undefined;
}

const LONGEST_FOLDER_NAME = 180;

/** Folders of a partition below `data/`, e.g. `day=2026-01-31/region=eu/`; empty for unpartitioned tables. */
export function partitionFolder(fields: readonly BoundPartitionField[], values: readonly PartitionValue[]): string {
  return fields
    .map((field, index) => {
      const text = partitionText(field.transform, field.type, values[index] ?? null);
      return `${folderWord(field.name)}=${folderWord(text)}/`;
    })
    .join('');
}

/** A word as a folder's name, safe in every file system: encoded like a form field; long words are told apart by a hash. */
export function folderWord(text: string): string {
  const encoded = encodeURIComponent(text.toWellFormed())
    .replaceAll('%20', '+')
    .replaceAll(/[!'()*~]/g, percent)
    .replace(/^\./, '%2E');
  if (encoded.length <= LONGEST_FOLDER_NAME) return encoded;
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return `${encoded.slice(0, LONGEST_FOLDER_NAME - 17).replace(/%.?$/, '')}-${hash}`;
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
