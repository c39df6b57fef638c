import { Failure } from '../../errors.ts';
import type { ExactInteger } from './exact.ts';
import { formatExactJson, parseExactJson } from './exact.ts';
import type { IcebergSchema, PartitionField, PartitionSpec, Snapshot, TableMetadata } from './model.ts';
import { numberPartitionFields } from './partition.ts';
import { sameSchema } from './schema.ts';

/** A table's metadata and where it lies. */
export interface MetadataVersion {
  readonly location: string;
  readonly metadata: TableMetadata;
}

const defaultProperties = {
  'write.format.default': 'parquet',
  'write.parquet.compression-codec': 'zstd',
  'write.metadata.delete-after-commit.enabled': 'true',
  'write.metadata.previous-versions-max': '100',
};

export interface NewTable {
  readonly uuid: string;
  readonly location: string;
  readonly schema: IcebergSchema;
  readonly lastColumnId: number;
  readonly now: number;
}

/** A table without rows and partitions. */
export function createMetadata(table: NewTable): TableMetadata {
  return {
    'format-version': 2,
    'table-uuid': table.uuid,
    location: table.location,
    'last-sequence-number': 0,
    'last-updated-ms': table.now,
    'last-column-id': table.lastColumnId,
    'current-schema-id': 0,
    schemas: [table.schema],
    'default-spec-id': 0,
    'partition-specs': [{ 'spec-id': 0, fields: [] }],
    'last-partition-id': 999,
    'default-sort-order-id': 0,
    'sort-orders': [{ 'order-id': 0, fields: [] }],
    properties: defaultProperties,
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
    refs: {},
  };
}

/** Reads a metadata file of any writer; refuses other format versions than 2. */
export function parseMetadata(text: string): TableMetadata {
  return asMetadata(parseExactJson(text));
}

/** As `parseMetadata`, of JSON that was parsed exactly. */
export function asMetadata(value: unknown): TableMetadata {
  const raw = (value ?? {}) as Partial<TableMetadata> & { readonly 'format-version': number };
  if (raw['format-version'] !== 2) {
    throw new Failure(
      'configuration_invalid',
      `The table has Iceberg format version ${raw['format-version']}; Penstock writes version 2.`,
    );
  }
  const { 'current-snapshot-id': current, ...rest } = raw;
  return {
    properties: {},
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
    refs: {},
    ...rest,
    ...(current !== undefined && current !== null && current !== -1 && { 'current-snapshot-id': current }),
  } as unknown as TableMetadata;
}

export function formatMetadata(metadata: TableMetadata): Buffer {
  return Buffer.from(formatExactJson(metadata));
}

export function currentSchema(metadata: TableMetadata): IcebergSchema {
  const schema = metadata.schemas.find((one) => one['schema-id'] === metadata['current-schema-id']);
  if (!schema) throw new Failure('storage_failed', 'The table metadata lacks its current schema.');
  return schema;
}

export function findSpec(metadata: TableMetadata, id: number): PartitionSpec {
  const spec = metadata['partition-specs'].find((one) => one['spec-id'] === id);
  if (!spec) throw new Failure('storage_failed', `The table metadata lacks partition spec ${id}.`);
  return spec;
}

export function currentSnapshot(metadata: TableMetadata): Snapshot | undefined {
  const id = metadata['current-snapshot-id'];
  return id === undefined ? undefined : findSnapshot(metadata, id);
}

export function findSnapshot(metadata: TableMetadata, id: ExactInteger): Snapshot | undefined {
  return metadata.snapshots.find((one) => one['snapshot-id'] === id);
}

/** The current snapshot, its parent, and so on, as far as the metadata remembers. */
export function* snapshotAncestry(metadata: TableMetadata): Generator<Snapshot> {
  let snapshot = currentSnapshot(metadata);
  while (snapshot) {
    yield snapshot;
    const parent = snapshot['parent-snapshot-id'];
    snapshot = parent === undefined || parent === null ? undefined : findSnapshot(metadata, parent);
  }
}

/** Makes the schema current; an equal older one is used again. */
export function withSchema(metadata: TableMetadata, schema: IcebergSchema, lastColumnId: number): TableMetadata {
  const known = metadata.schemas.find((one) => sameSchema(one, schema));
  const id = known?.['schema-id'] ?? nextId(metadata.schemas.map((one) => one['schema-id']));
  return {
    ...metadata,
    'last-column-id': Math.max(lastColumnId, metadata['last-column-id']),
    'current-schema-id': id,
    schemas: known ? metadata.schemas : [...metadata.schemas, { ...schema, 'schema-id': id }],
  };
}

const nextId = (ids: readonly number[]): number => Math.max(-1, ...ids) + 1;

const specEssence = (fields: readonly Omit<PartitionField, 'field-id'>[]): string =>
  JSON.stringify(fields.map((field) => [field['source-id'], field.name, field.transform]));

/** The table with a partition spec of these fields; an equal older one is used again. Answers the spec's id, too. */
export function withSpec(
  metadata: TableMetadata,
  fields: readonly Omit<PartitionField, 'field-id'>[],
): { readonly metadata: TableMetadata; readonly specId: number } {
  const known = metadata['partition-specs'].find((spec) => specEssence(spec.fields) === specEssence(fields));
  if (known) return { metadata, specId: known['spec-id'] };
  const specs = metadata['partition-specs'];
  const numbered = numberPartitionFields(fields, specs, metadata['last-partition-id']);
  const specId = nextId(specs.map((spec) => spec['spec-id']));
  const spec = { 'spec-id': specId, fields: numbered.fields };
  return {
    specId,
    metadata: { ...metadata, 'last-partition-id': numbered.lastId, 'partition-specs': [...specs, spec] },
  };
}

/** Sets properties; an undefined value removes one. */
export function withProperties(
  metadata: TableMetadata,
  changes: Readonly<Record<string, string | undefined>>,
): TableMetadata {
  const properties: Record<string, string> = { ...metadata.properties };
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) delete properties[key];
    else properties[key] = value;
  }
  return { ...metadata, properties };
}

/** Adds the snapshot and makes it the main branch's. */
export function withSnapshot(metadata: TableMetadata, snapshot: Snapshot): TableMetadata {
  const id = snapshot['snapshot-id'];
  return {
    ...metadata,
    'last-sequence-number': snapshot['sequence-number'],
    'current-snapshot-id': id,
    snapshots: [...metadata.snapshots, snapshot],
    'snapshot-log': [...metadata['snapshot-log'], { 'timestamp-ms': snapshot['timestamp-ms'], 'snapshot-id': id }],
    refs: { ...metadata.refs, main: { ...metadata.refs['main'], 'snapshot-id': id, type: 'branch' } },
  };
}

/** Times never run backwards inside a table, whatever the clock does. */
export function commitTime(metadata: TableMetadata, now: Date): number {
  return Math.max(now.getTime(), metadata['last-updated-ms']);
}

/**
 * The metadata as the successor of `base`: its log names the base and forgets the oldest entries. Answers also the
 * metadata files that nothing names any more.
 */
export function succeed(
  base: MetadataVersion,
  next: TableMetadata,
  now: number,
): { readonly metadata: TableMetadata; readonly forgotten: readonly string[] } {
  const { properties } = next;
  const most = Math.max(1, Number(properties['write.metadata.previous-versions-max'] ?? 100) || 100);
  const entry = { 'timestamp-ms': base.metadata['last-updated-ms'], 'metadata-file': base.location };
  const log = [...next['metadata-log'], entry];
  const removes = properties['write.metadata.delete-after-commit.enabled'] === 'true';
  const isOwnFile = (path: string): boolean => path.startsWith(`${next.location}/`) && !path.includes('/../');
  return {
    metadata: { ...next, 'last-updated-ms': now, 'metadata-log': log.slice(-most) },
    // A log that somebody else wrote may name any file of this machine.
    forgotten: removes
      ? log
          .slice(0, -most)
          .map((one) => one['metadata-file'])
          .filter(isOwnFile)
      : [],
  };
}
