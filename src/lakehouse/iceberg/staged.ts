import { Failure } from '../../errors.ts';
import type { Storage } from '../storage/types.ts';
import { readAvroFile } from './avro-file.ts';
import { findSpec } from './metadata.ts';
import { decodeManifest, describeManifest } from './manifest.ts';
import type { DataFile, IcebergSchema, ManifestFile, TableMetadata } from './model.ts';
import type { Tally } from './summary.ts';
import { count, emptyTally } from './summary.ts';

/** A manifest that a table property lists before a snapshot does. */
export interface StagedManifest {
  readonly path: string;
  readonly rows: number;
}

/** Manifests staged for a stream; the property's text is a JSON list of pairs, kept short since every commit copies it. */
export function readStaged(metadata: TableMetadata, property: string): StagedManifest[] {
  const text = metadata.properties[property];
  if (text === undefined) return [];
  const pairs = JSON.parse(text) as [string, number][];
  return pairs.map(([name, rows]) => ({ path: `${metadata.location}/metadata/${name}`, rows }));
}

export function formatStaged(staged: readonly StagedManifest[]): string {
  return JSON.stringify(staged.map(({ path, rows }) => [path.slice(path.lastIndexOf('/') + 1), rows]));
}

export interface LoadedManifest {
  readonly manifest: ManifestFile;
  readonly files: readonly DataFile[];
}

/** Reads a staged manifest as it was written: new files, numbers to be inherited. */
export async function loadStaged(storage: Storage, metadata: TableMetadata, path: string): Promise<LoadedManifest> {
  const bytes = await storage.read(path);
  if (!bytes) throw new Failure('storage_failed', `A staged manifest of the table is missing: ${path}.`);
  const { header } = readAvroFile(bytes);
  const entries = decodeManifest(bytes, { sequence: 0, snapshotId: 0 });
  const spec = findSpec(metadata, Number(header['partition-spec-id']));
  const schema = JSON.parse(header['schema']!) as IcebergSchema;
  const inherited = entries.map((entry) => ({ ...entry, snapshotId: null, sequence: null, fileSequence: null }));
  const place = { path, length: bytes.length };
  return {
    manifest: describeManifest({ content: 0, schema, spec, entries: inherited }, place),
    files: entries.map((entry) => entry.file),
  };
}

export function tallyFiles(files: Iterable<DataFile>): Tally {
  const tally = emptyTally();
  for (const file of files) count(tally, file);
  return tally;
}
