import { createWriteStream } from 'node:fs';
import { link, mkdir, realpath } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { tableDataset, type DatasetName } from '../../connectors/kit/index.ts';
import { Failure } from '../../errors.ts';
import {
  folderWord,
  isS3Path,
  localPath,
  planScan,
  type IcebergField,
  type ScannedFile,
  type Storage,
  type TableName,
} from '../../lakehouse/index.ts';
import type { LakeTables } from '../kit/index.ts';
import { LAKE } from './lake-names.ts';
import type { StagedTable } from './work.ts';

/** Of equality deletes, while it is worked out which rows they remove: this happens in the server's process. */
const KEY_BYTES = 32 << 20;
/** Files in a bucket are copied for the time of the run. */
const MOST_COPIED_BYTES = 10 * 1024 ** 3;

export interface Staging {
  readonly lake: LakeTables;
  readonly dataDir: string;
  readonly project: string;
  /** Of this run; its folder `lake` gets the files. */
  readonly folder: string;
  readonly signal: AbortSignal;
  log(level: 'info' | 'warn', message: string): void;
}

/**
 * Brings the data files of the tables' current snapshots into the run's folder: by links where they lie on the same disk,
 * so that upkeep cannot take them away meanwhile, by copies else. Names that are no tables are left out.
 */
export async function stageTables(staging: Staging, names: readonly TableName[]): Promise<StagedTable[]> {
  await mkdir(join(staging.folder, 'lake'), { recursive: true, mode: 0o700 });
  const staged: StagedTable[] = [];
  for (const [at, name] of names.entries()) {
    const table = await stageTable(staging, name, join(staging.folder, 'lake', String(at)));
    if (table !== undefined) staged.push(table);
  }
  return staged;
}

async function stageTable(staging: Staging, name: TableName, folder: string): Promise<StagedTable | undefined> {
  const { lake, project, signal } = staging;
  const lower = { database: name.database.toLowerCase(), table: name.table.toLowerCase() };
  const asNamed = await lake.open(project, name);
  const found = asNamed ?? (await lake.open(project, lower));
  if (found === undefined) return undefined;
  const { metadata, storage } = found;
  const { fields, files } = await planScan({ storage, signal, keyBytes: KEY_BYTES }, metadata);
  const columns = fields.flatMap((field) => toColumn(staging, name, field));
  await mkdir(folder, { mode: 0o700 });
  const paths: string[] = [];
  const budget = { bytes: MOST_COPIED_BYTES };
  for (const [at, file] of files.entries()) {
    signal.throwIfAborted();
    const path = join(folder, `${at}.parquet`);
    await bring({ storage, location: metadata.location, budget, signal }, file, path);
    paths.push(path);
  }
  const deletes = await writeDeletes(files, paths, join(folder, 'deletes.csv'));
  const dataset = {
    ...datasetOf(staging, asNamed ? name : lower, metadata.location),
    fields: fields.map((field) => ({ name: field.name, type: typeof field.type === 'string' ? field.type : 'nested' })),
  };
  return { name, columns, files: paths, deletes, dataset };
}

interface Bringing {
  readonly storage: Storage;
  readonly location: string;
  readonly budget: { bytes: number };
  readonly signal: AbortSignal;
}

async function bring(bringing: Bringing, file: ScannedFile, path: string): Promise<void> {
  const { storage, location, budget, signal } = bringing;
  await refuseForeign(location, file.path);
  if (!isS3Path(file.path)) {
    const isLinked = await link(await realpath(localPath(file.path)), path).then(
      () => true,
      () => false,
    );
    if (isLinked) return;
  }
  budget.bytes -= file.bytes;
  if (budget.bytes < 0) {
    throw new Failure(
      'too_large',
      'A lake table of more than 10 GiB that is not on the disk of the data folder cannot be read here',
    );
  }
  await pipeline(Readable.from(storage.readStream(file.path, { signal })), createWriteStream(path, { mode: 0o600 }), {
    signal,
  });
}

/** Others may commit metadata that names any file of this machine: only those in the table's own folder are read. */
async function refuseForeign(location: string, path: string): Promise<void> {
  const inside = isS3Path(path)
    ? path.startsWith(`${location.replace(/\/+$/, '')}/`) && !path.split('/').includes('..')
    : !isS3Path(location) && (await realpath(localPath(path))).startsWith((await realpath(localPath(location))) + sep);
  if (!inside)
    throw new Failure('forbidden', 'A lake table names data files outside of its own folder; it cannot be read here');
}

/** Deleted rows as lines `file,row`; null when there are none. Written as fast as the disk takes them. */
async function writeDeletes(
  files: readonly ScannedFile[],
  paths: readonly string[],
  to: string,
): Promise<string | null> {
  if (files.every(({ deletedRows }) => deletedRows === 0)) return null;
  await pipeline(Readable.from(linesOf(files, paths)), createWriteStream(to, { mode: 0o600 }));
  return to;
}

const LINES_AT_A_TIME = 2000;

function* linesOf(files: readonly ScannedFile[], paths: readonly string[]): Generator<string> {
  let lines: string[] = [];
  for (const [at, file] of files.entries()) {
    for (const row of file.deleted()) {
      lines.push(`${paths[at]},${row}\n`);
      if (lines.length < LINES_AT_A_TIME) continue;
      yield lines.join('');
      lines = [];
    }
  }
  yield lines.join('');
}

const TYPES: Readonly<Record<string, string>> = {
  boolean: 'BOOLEAN',
  int: 'INTEGER',
  long: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  date: 'DATE',
  time: 'TIME',
  timestamp: 'TIMESTAMP',
  timestamptz: 'TIMESTAMP WITH TIME ZONE',
  string: 'VARCHAR',
  uuid: 'UUID',
  binary: 'BLOB',
};

function toColumn({ log }: Staging, name: TableName, field: IcebergField): StagedTable['columns'] {
  const word = typeof field.type === 'string' ? field.type : '';
  const type = TYPES[word] ?? (/^decimal\(\s*\d+\s*,\s*\d+\s*\)$/.test(word) ? word.toUpperCase() : undefined);
  if (type !== undefined) return [{ fieldId: field.id, name: field.name, type }];
  log(
    'warn',
    `Column "${field.name}" of ${LAKE}.${name.database}.${name.table} is of a nested or unknown type; it is left out`,
  );
  return [];
}

/**
 * The name under which lineage knows the table that a sync writes: its warehouse, which is its location without the folders
 * of database and table. What lies elsewhere, or in the server's own warehouse, is named by the catalog of the project.
 */
function datasetOf({ dataDir, project }: Staging, name: TableName, location: string): DatasetName {
  const place = (isS3Path(location) ? location : localPath(location)).replace(/\/+$/, '');
  const end = `/${folderWord(name.database)}/${folderWord(name.table)}`;
  const warehouse = place.endsWith(end) ? place.slice(0, -end.length) : undefined;
  if (warehouse !== undefined && warehouse !== resolve(dataDir, 'warehouse', project)) {
    return tableDataset(warehouse, name);
  }
  return { namespace: `penstock:warehouse/${project}`, name: `${name.database}.${name.table}` };
}
