import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { MetadataVersion } from '../../../lakehouse/index.ts';
import { createLocalStorage, loadTable, openJdbcCatalog, referencedFiles } from '../../../lakehouse/index.ts';
import { readIndependently } from '../../../lakehouse/iceberg/table.test-support.ts';
import { createWorld } from '../../../world.ts';
import type { DestinationPlace } from '../../kit/conformance/destination.ts';
import type { TableName } from '../../kit/index.ts';
import { connector } from '../index.ts';

/** An Iceberg destination in a folder with a SQLite catalog, read back by icebird, which shares no code with ours. */
export async function openPlace(folder: string): Promise<DestinationPlace> {
  const warehouse = join(folder, 'lake');
  const jdbc_url = `jdbc:sqlite:${join(folder, 'catalog.db')}`;
  const storage = createLocalStorage(createWorld());
  const owned = await openJdbcCatalog({ url: jdbc_url, catalogName: 'lake', allowPath: () => {} });
  const load = (name: TableName): Promise<MetadataVersion | undefined> =>
    loadTable({ storage, catalog: owned.catalog, name });
  return {
    open: ({ world, guard }) =>
      connector.open(
        {
          type: 'ICEBERG',
          writer: { catalog_type: 'jdbc', jdbc_url, catalog_name: 'lake', iceberg_s3_path: warehouse },
        },
        { world, guard, warehouse, allowPath: () => {}, log: () => {}, signal: new AbortController().signal },
      ),
    async readRows(name) {
      const table = await load(name);
      return table ? readIndependently(table.metadata) : [];
    },
    async listFiles(name) {
      const table = await load(name);
      const paths = await readdir(join(warehouse, name.database, name.table), { recursive: true }).catch(() => []);
      const files = paths.filter((path) => !path.endsWith('.open') && basename(path).includes('.'));
      const listed = table ? [...(await referencedFiles(storage, table))] : [];
      return { found: files.map((path) => basename(path)).sort(), listed: listed.sort() };
    },
    close: () => owned.close(),
  };
}
