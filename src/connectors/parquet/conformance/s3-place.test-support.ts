import { parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { openS3Place } from '../../../../test/support/s3-place.ts';
import { createStorage } from '../../../lakehouse/index.ts';
import { createWorld } from '../../../world.ts';
import type { DestinationPlace } from '../../kit/conformance/destination.ts';
import type { TableName } from '../../kit/index.ts';
import { connector } from '../connector.ts';

/** A Parquet destination in a bucket, read back by globbing `*.parquet`, as foreign readers do. */
export async function openPlace(folder: string): Promise<DestinationPlace> {
  const { bucket, path, settings } = await openS3Place(folder);
  const root = `s3://${bucket}/${path}`;
  const storage = createStorage({ world: createWorld(), s3: settings });
  const tableFolder = ({ database, table }: TableName): string => `${root}/${database}/${table}`;
  const glob = async (name: TableName): Promise<string[]> => {
    const paths = await storage.list(tableFolder(name));
    return paths.filter((one) => one.endsWith('.parquet'));
  };
  return {
    open: ({ world, guard }) =>
      connector.open(
        {
          type: 'PARQUET',
          writer: {
            s3_bucket: bucket,
            s3_path: path,
            s3_endpoint: settings.endpoint,
            s3_access_key: settings.accessKey,
            s3_secret_key: settings.secretKey,
          },
        },
        {
          world,
          guard,
          warehouse: folder,
          allowPath: () => {
            throw new Error('a bucket is no folder of this server');
          },
          log: () => {},
          signal: new AbortController().signal,
        },
      ),
    async readRows(name) {
      const rows: Record<string, unknown>[] = [];
      for (const one of await glob(name)) {
        const bytes = await storage.read(one);
        rows.push(...(await parquetReadObjects({ file: new Uint8Array(bytes!).buffer, compressors })));
      }
      return rows;
    },
    async listFiles(name) {
      const start = tableFolder(name).length + 1;
      const found = (await glob(name)).map((one) => one.slice(start));
      const manifest = await storage.read(`${tableFolder(name)}/_manifest.json`);
      const { files } = JSON.parse(manifest?.toString() ?? '{"files":[]}') as { files: { path: string }[] };
      return { found, listed: files.map((file) => file.path).sort() };
    },
    close: async () => {},
  };
}
