import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { avroMetadata, avroRead } from 'icebird';
import type { LakeJob } from './sync-support.ts';
import type { Row } from './support/lake-tables.ts';

/** Removes whatever no snapshot names, however young it is. */
export const SWEEP = { removeOrphans: { olderThanMs: -1000 } } as const;

/** Says to readers without a catalog which metadata is the present one. */
const HINT = 'version-hint.text';

/** Compares rows as texts; of large tables only what differs is shown. */
export function assertRows(found: readonly string[], wanted: readonly string[], place: string): void {
  const [has, shall] = [new Set(found), new Set(wanted)];
  const wrong = found.filter((row) => !shall.has(row)).slice(0, 10);
  const missing = wanted.filter((row) => !has.has(row)).slice(0, 10);
  assert.deepEqual({ wrong, missing, rows: found.length }, { wrong: [], missing: [], rows: wanted.length }, place);
}

/** Of the rows of an append-only table, the one of each identity whose rank sorts last; later ones win among equals. */
export function latest<Rank extends string | bigint>(rows: readonly Row[], rank: (row: Row) => Rank): Row[] {
  const newest = new Map<string, Row>();
  for (const row of rows) {
    const id = String(row['_olake_id']);
    const other = newest.get(id);
    if (!other || rank(row) >= rank(other)) newest.set(id, row);
  }
  return [...newest.values()];
}

/** The files of a table that lies elsewhere than on this machine's disk. */
export interface TableFiles {
  readonly table: string;
  read(location: string): Promise<Uint8Array>;
  /** All below the table's folder. */
  list(): Promise<readonly string[]>;
}

/** Every file below the table's folder is named by its present metadata, read by a reader of other people. */
export async function assertNoOrphans(job: LakeJob, place: string, files: TableFiles = localFiles(job)): Promise<void> {
  const metadata = await job.metadata(files.table, files.read);
  const readAvro = async (location: string): Promise<Record<string, unknown>[]> =>
    parseAvro(await files.read(location));
  const named = new Set([metadata.path, ...(metadata['metadata-log'] ?? []).map((one) => one['metadata-file'])]);
  for (const snapshot of metadata.snapshots ?? []) {
    named.add(snapshot['manifest-list']);
    for (const manifest of await readAvro(snapshot['manifest-list'])) {
      const path = String(manifest['manifest_path']);
      named.add(path);
      for (const entry of await readAvro(path)) {
        const { file_path: file } = entry['data_file'] as { file_path: string };
        if (entry['status'] !== 2) named.add(file);
      }
    }
  }
  const names = new Set([...named].map(localPath));
  const found = await files.list();
  const unnamed = found.filter((path) => !names.has(path) && !path.endsWith(`/${HINT}`));
  assert.deepEqual(unnamed, [], `${place}: files that the metadata does not name`);
  for (const path of names) assert.ok(found.includes(path), `${place}: ${path} is named and missing`);
}

/** Every file of a Parquet table is in its manifest, and nothing is left of what an attempt prepared. */
export async function assertOnlyManifest(job: LakeJob, place: string, table = 'orders'): Promise<void> {
  const folder = job.folderOf(table);
  const manifest = JSON.parse(await readFile(join(folder, '_manifest.json'), 'utf8')) as { files: { path: string }[] };
  const named = manifest.files.map(({ path }) => join(folder, path)).toSorted();
  assert.deepEqual((await job.visibleFiles(table)).toSorted(), named, `${place}: files and manifest differ`);
  assert.deepEqual(await job.stagedFiles(), [], `${place}: leftovers`);
}

function parseAvro(bytes: Uint8Array): Record<string, unknown>[] {
  const reader = { view: new DataView(new Uint8Array(bytes).buffer), offset: 0 };
  const { metadata, syncMarker } = avroMetadata(reader);
  return avroRead({ reader, metadata, syncMarker }) as Record<string, unknown>[];
}

const localPath = (location: string): string => location.replace(/^file:\/\//, '');

const localFiles = (job: LakeJob): TableFiles => ({
  table: 'orders',
  read: (location) => readFile(localPath(location)),
  list: () => filesBelow(job.folderOf()),
});

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
