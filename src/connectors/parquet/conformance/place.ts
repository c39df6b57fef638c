import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import type { DestinationPlace } from '../../kit/conformance/destination.ts';
import type { TableName } from '../../kit/index.ts';
import { connector } from '../connector.ts';

/** A Parquet destination in a folder, read back by globbing `*.parquet`, as foreign readers do. */
export async function openPlace(folder: string): Promise<DestinationPlace> {
  const tableFolder = ({ database, table }: TableName): string => join(folder, database, table);
  return {
    open: ({ world, guard }) =>
      connector.open(
        { type: 'PARQUET', writer: { local_path: folder } },
        {
          world,
          guard,
          warehouse: folder,
          allowPath: () => {},
          log: () => {},
          signal: new AbortController().signal,
        },
      ),
    async readRows(name) {
      const rows: Record<string, unknown>[] = [];
      for (const path of await glob(tableFolder(name))) {
        const bytes = await readFile(join(tableFolder(name), path));
        rows.push(...(await parquetReadObjects({ file: new Uint8Array(bytes).buffer, compressors })));
      }
      return rows;
    },
    async listFiles(name) {
      const found = await glob(tableFolder(name));
      const manifest = await readFile(join(tableFolder(name), '_manifest.json'), 'utf8').catch(() => '{"files":[]}');
      const { files } = JSON.parse(manifest) as { files: { path: string }[] };
      return { found, listed: files.map((file) => file.path).sort() };
    },
    close: async () => {},
  };
}

async function glob(folder: string): Promise<string[]> {
  const paths = await readdir(folder, { recursive: true }).catch(() => []);
  return paths.filter((path) => path.endsWith('.parquet')).sort();
}
