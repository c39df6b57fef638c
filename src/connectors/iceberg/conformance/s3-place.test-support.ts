import { basename, join } from 'node:path';
import { openS3Place, withS3Files } from '../../../../test/support/s3-place.ts';
import type { MetadataVersion } from '../../../lakehouse/index.ts';
import { createStorage, loadTable, openJdbcCatalog, referencedFiles } from '../../../lakehouse/index.ts';
import { readIndependently } from '../../../lakehouse/iceberg/table.test-support.ts';
import { createWorld } from '../../../world.ts';
import type { DestinationPlace } from '../../kit/conformance/destination.ts';
import type { TableName } from '../../kit/index.ts';
import { connector } from '../index.ts';

/** An Iceberg destination in a bucket with a SQLite catalog, read back by icebird, which shares no code with ours. */
export async function openPlace(folder: string): Promise<DestinationPlace> {
  const { bucket, path, settings } = await openS3Place(folder);
  const warehouse = `s3://${bucket}/${path}`;
  const jdbc_url = `jdbc:sqlite:${join(folder, 'catalog.db')}`;
  const storage = createStorage({ world: createWorld(), s3: settings });
  const owned = await openJdbcCatalog({ url: jdbc_url, catalogName: 'lake', allowPath: () => {} });
  const load = (name: TableName): Promise<MetadataVersion | undefined> =>
    loadTable({ storage, catalog: owned.catalog, name });
  const writer = {
    catalog_type: 'jdbc',
    jdbc_url,
    catalog_name: 'lake',
    iceberg_s3_path: warehouse,
    s3_endpoint: settings.endpoint,
    aws_access_key: settings.accessKey,
    aws_secret_key: settings.secretKey,
  };
  return {
    open: ({ world, guard }) =>
      connector.open(
        { type: 'ICEBERG', writer },
        { world, guard, warehouse: folder, allowPath: () => {}, log: () => {}, signal: new AbortController().signal },
      ),
    async readRows(name) {
      const table = await load(name);
      return table ? withS3Files(settings.endpoint, () => readIndependently(table.metadata)) : [];
    },
    async listFiles(name) {
      const table = await load(name);
      const paths = await storage.list(`${warehouse}/${name.database}/${name.table}`, { unfinished: true });
      const files = paths.filter((one) => !one.endsWith('.open'));
      const listed = table ? [...(await referencedFiles(storage, table))] : [];
      return { found: files.map((one) => basename(one)).sort(), listed: listed.sort() };
    },
    close: () => owned.close(),
  };
}
