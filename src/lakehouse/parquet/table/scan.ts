import type { ColumnBatch } from '../../../columns/index.ts';
import { Failure } from '../../../errors.ts';
import type { World } from '../../../world.ts';
import type { TableName } from '../../catalog/port.ts';
import type { Storage } from '../../storage/types.ts';
import type { WantedColumn } from '../vectors.ts';
import { openVectorReader } from '../vectors.ts';
import { typeOf } from './describe.ts';
import { createLayout } from './layout.ts';
import { createManifestLog } from './log.ts';
import type { Manifest } from './manifest.ts';
import { findLeftovers } from './recover.ts';

/** What a scan reads, and from where. */
export interface ParquetScan {
  readonly storage: Storage;
  readonly world: World;
  /** Folder of the table, absolute. */
  readonly folder: string;
  readonly name: TableName;
  readonly columns: readonly string[];
  readonly sink: (batch: ColumnBatch) => Promise<void>;
  readonly signal: AbortSignal;
}

/**
 * Hands over the rows of every file that the newest manifest lists, in batches of the named columns: of rows that were
 * written again, every version. Null throughout in files that were written before a column was there. False when nothing
 * was committed there. Throws `commit_conflict` when a file was replaced meanwhile, and `storage_failed` when one is
 * missing or damaged. Writes nothing but what `_manifest.json` lacks. Memory: the named columns of one row group.
 */
export async function scanParquetTable(scan: ParquetScan): Promise<boolean> {
  const { storage, world, folder, name } = scan;
  const layout = createLayout(world, folder, '');
  // Listed before the manifest is read: files of a commit that was decided and then crashed are found where they are.
  const paths = (await storage.list(folder, { unfinished: true })).map((path) => layout.relative(path));
  const log = createManifestLog({ storage, world }, folder, name);
  const manifest = await log.load();
  if (manifest.sequence === 0) return false;
  const wanted = scan.columns.map((column) => wantedColumn(manifest, column));
  const hidden = new Map(findLeftovers(paths, manifest, layout).renames.map(({ from, to }) => [to, from]));
  for (const { path, rows } of manifest.files) {
    const visible = layout.absolute(path);
    const place = (await storage.size(visible)) === undefined ? hidden.get(path) : path;
    try {
      await scanFile(scan, { path: layout.absolute(place ?? path), rows, wanted });
    } catch (cause) {
      if ((await log.load()).files.some((file) => file.path === path)) throw cause;
      const message = `The table "${name.database}.${name.table}" was replaced while it was read.`;
      throw new Failure('commit_conflict', message, { cause });
    }
  }
  return true;
}

interface ScannedPart {
  readonly path: string;
  readonly rows: number;
  readonly wanted: readonly WantedColumn[];
}

async function scanFile({ storage, signal, sink }: ParquetScan, { path, rows, wanted }: ScannedPart): Promise<void> {
  const reader = await openVectorReader(storage, path).catch((cause: unknown) => {
    if (cause instanceof Failure) throw cause;
    throw new Failure('storage_failed', `The data file "${path}" cannot be read as Parquet.`, { cause });
  });
  if (reader.rows !== rows) {
    throw new Failure('storage_failed', `The data file "${path}" has ${reader.rows} rows; its manifest says ${rows}.`);
  }
  for (const group of reader.groups.keys()) {
    signal.throwIfAborted();
    await sink(await reader.readGroup(group, wanted));
  }
}

function wantedColumn({ schema }: Manifest, name: string): WantedColumn {
  const column = schema.find((one) => one.name === name);
  if (!column) throw new Failure('object_missing', `The table has no column "${name}".`);
  return { column: { name, type: typeOf(column.type), nullable: true }, fieldId: column.id };
}
