import { randomUUID } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { icebergRead } from 'icebird';
import type { CatalogPort, TableName } from '../../../src/lakehouse/index.ts';
import { withLocalFiles } from '../../support/local-files.ts';

export type Row = Readonly<Record<string, unknown>>;

export type ReadLocation = (location: string) => Promise<Uint8Array>;

/** What the tests look at in the metadata of an Iceberg table. */
export interface IcebergMetadata {
  readonly path: string;
  readonly location: string;
  readonly properties?: Readonly<Record<string, string>>;
  readonly 'last-updated-ms': number;
  readonly 'current-snapshot-id'?: number | null;
  readonly snapshots?: readonly { readonly 'timestamp-ms': number; readonly 'manifest-list': string }[];
  readonly 'snapshot-log'?: readonly { readonly 'timestamp-ms': number }[];
  readonly 'metadata-log'?: readonly { readonly 'timestamp-ms': number; readonly 'metadata-file': string }[];
}

/** Files below a folder, none when it is not there. */
export async function allFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Parquet files that a reader would see below a folder. */
export async function parquetFiles(folder: string): Promise<string[]> {
  return (await allFiles(folder)).filter(
    (path) =>
      path.endsWith('.parquet') &&
      !path
        .slice(folder.length)
        .split('/')
        .some((part) => /^[._]/.test(part)),
  );
}

export async function readParquetFolder(folder: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const path of await parquetFiles(folder)) {
    const bytes = await readFile(path);
    const file = new Uint8Array(bytes).buffer;
    for (const row of await parquetReadObjects({ file, compressors })) rows.push(row);
  }
  return rows;
}

export async function readIceberg(tables: CatalogPort, name: TableName): Promise<Row[]> {
  if ((await tables.load(name)) === undefined) return [];
  const metadata = await readMetadata(tables, name);
  // Created, and nothing committed yet.
  if (!(Number(metadata['current-snapshot-id'] ?? -1) > 0)) return [];
  return withLocalFiles(() => icebergRead({ tableUrl: metadata.location, metadata: metadata as never }));
}

/** The Iceberg metadata that the catalog names, as its file has it. */
export async function readMetadata(
  tables: CatalogPort,
  name: TableName,
  read: ReadLocation = readFile,
): Promise<IcebergMetadata> {
  const path = (await tables.load(name))!.metadataLocation.replace(/^file:\/\//, '');
  return { ...(JSON.parse(Buffer.from(await read(path)).toString()) as IcebergMetadata), path };
}

/** Commits to an Iceberg table as another writer does: the same content, with a property of its own. */
export async function commitAsOther(tables: CatalogPort, name: TableName): Promise<void> {
  const expected = (await tables.load(name))!.metadataLocation;
  const { path, ...metadata } = await readMetadata(tables, name);
  const next = join(dirname(path), `${randomUUID()}.metadata.json`);
  const properties = { ...metadata.properties, 'other.writer': next };
  const log = [
    ...(metadata['metadata-log'] ?? []),
    { 'timestamp-ms': metadata['last-updated-ms'], 'metadata-file': expected },
  ];
  await writeFile(next, JSON.stringify({ ...metadata, properties, 'metadata-log': log }));
  if (!(await tables.swap(name, { expected, next }))) throw new Error('somebody else was first');
}
