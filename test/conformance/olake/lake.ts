import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { icebergRead } from 'icebird';
import { withLocalFiles } from '../../support/local-files.ts';

type Row = Readonly<Record<string, unknown>>;

/** Folders `<root>/<any database>/<table>`. */
async function tableFolders(root: string, table: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && entry.name === table)
    .map((entry) => join(entry.parentPath, entry.name));
}

/** All rows of the visible Parquet files of a table, by a reader that shares no code with ours. */
export async function readParquetTable(root: string, table: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const folder of await tableFolders(root, table)) {
    const files = (await readdir(folder, { recursive: true })).filter(
      (name) => name.endsWith('.parquet') && !name.startsWith('_') && !name.includes('/_'),
    );
    for (const name of files) {
      const bytes = await readFile(join(folder, name));
      const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
      rows.push(...((await parquetReadObjects({ file, compressors })) as Row[]));
    }
  }
  return rows;
}

/** All live rows of an Iceberg table, from its newest metadata file, by a reader that shares no code with ours. */
export async function readIcebergTable(root: string, table: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (const folder of await tableFolders(root, table)) {
    const metadata = JSON.parse(await readFile(await newestMetadata(join(folder, 'metadata')), 'utf8')) as {
      location: string;
    };
    const read = () => icebergRead({ tableUrl: metadata.location, metadata: metadata as never });
    rows.push(...((await withLocalFiles(read)) as Row[]));
  }
  return rows;
}

async function newestMetadata(folder: string): Promise<string> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.metadata.json'));
  const aged = await Promise.all(files.map(async (name) => ({ name, time: (await stat(join(folder, name))).mtimeMs })));
  return join(folder, aged.toSorted((left, right) => right.time - left.time)[0]!.name);
}
