import type { Column } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import type { CommitPorts } from './committer.ts';
import type { MetadataVersion } from './metadata.ts';
import { createMetadata, currentSchema, findSpec, withSchema, withSpec } from './metadata.ts';
import type { TableMetadata } from './model.ts';
import type { FileNames } from './names.ts';
import { parsePartition, unpartitioned } from './partition.ts';
import { createSchema, evolveSchema } from './schema.ts';

/** The table as a stream wants it. */
export interface TableShape {
  readonly columns: readonly Column[];
  /** Column that upserts find rows by. */
  readonly identifier?: string;
  /** False leaves the schema without identifier fields. */
  readonly identifierFields: boolean;
  readonly partition?: string;
}

/** Loads the table, or creates it empty at the location. */
export async function loadOrCreate(
  ports: CommitPorts,
  names: FileNames,
  table: { readonly shape: TableShape; readonly location: string },
): Promise<MetadataVersion> {
  const existing = await ports.catalog.load(ports.name);
  if (existing) return existing;
  const { catalog, guard } = ports;
  const next = firstMetadata(ports, names, table);
  const now = next['last-updated-ms'];
  const created = await catalog.commit(ports.name, { base: undefined, next, now, guard, file: names.metadata });
  const made = created ?? (await catalog.load(ports.name));
  if (made) return made;
  const { database, table: word } = ports.name;
  throw new Failure('commit_conflict', `The table ${database}.${word} could not be created; its name is taken.`);
}

function firstMetadata(
  ports: CommitPorts,
  names: FileNames,
  table: { readonly shape: TableShape; readonly location: string },
): TableMetadata {
  const { shape, location } = table;
  const { schema, lastColumnId } = createSchema(shape.columns, shape.identifierFields ? shape.identifier : undefined);
  const now = ports.world.now().getTime();
  const metadata = createMetadata({ uuid: names.newUuid(), location, schema, lastColumnId, now });
  return withPartition(metadata, shape);
}

/**
 * The metadata with the shape's columns and partition; the same object when the table has them already. A table that
 * takes upserts has the empty spec, too: equality deletes of all partitions are written under it.
 */
export function withShape(metadata: TableMetadata, shape: TableShape): TableMetadata {
  const current = currentSchema(metadata);
  const { schema, lastColumnId } = evolveSchema(current, shape.columns, metadata['last-column-id']);
  const evolved = schema === current ? metadata : withSchema(metadata, schema, lastColumnId);
  return withPartition(evolved, shape);
}

function withPartition(metadata: TableMetadata, shape: TableShape): TableMetadata {
  const ready = shape.identifier === undefined ? metadata : withSpec(metadata, unpartitioned).metadata;
  if (!shape.partition?.trim()) return ready;
  const wanted = withSpec(ready, parsePartition(shape.partition, currentSchema(ready)));
  if (wanted.specId === wanted.metadata['default-spec-id']) return wanted.metadata;
  return { ...wanted.metadata, 'default-spec-id': wanted.specId };
}

/** The spec under which deletes hold in every partition. */
export function unpartitionedSpec(metadata: TableMetadata): ReturnType<typeof findSpec> {
  return findSpec(metadata, withSpec(metadata, unpartitioned).specId);
}
