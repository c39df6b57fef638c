import type { TableName } from '../../lakehouse/index.ts';
import {
  createStorage,
  describeParquetTable,
  dropParquetTable,
  isS3Path,
  probeStorage,
  safeSegment,
  scanParquetTable,
} from '../../lakehouse/index.ts';
import type { DestinationConnector, DestinationContext } from '../kit/index.ts';
import { tableDataset } from '../kit/index.ts';
import { readConfig } from './config.ts';
import { parquetSpec } from './spec.ts';
import { joinTable, openTable } from './table.ts';

/** The check of local folders; what lies in S3 is the keys' to allow. */
function allowPlace({ allowPath }: DestinationContext, place: string): void {
  if (!isS3Path(place)) allowPath(place);
}

/** Plain Parquet files in folders or buckets, each table with a manifest that makes commits exactly-once. */
export const connector: DestinationConnector = {
  kind: 'destination',
  type: 'parquet',
  synonyms: ['s3'],
  title: 'Parquet',
  version: '1.0.0',
  catalogs: [],
  spec: () => parquetSpec,
  datasetOf: (config, table) => tableDataset(readConfig(config).root, table),
  async check(config, context) {
    const { root, s3 } = readConfig(config);
    const { world } = context;
    allowPlace(context, root);
    context.log({ level: 'info', message: `writing, reading and removing a probe in ${root}` });
    await probeStorage({ storage: createStorage({ world, s3 }), world }, root, { conditional: true });
    context.log({ level: 'info', message: `${root} can be used` });
  },
  async open(config, context) {
    const parsed = readConfig(config);
    const { root, s3 } = parsed;
    allowPlace(context, root);
    const { world, guard } = context;
    const storage = createStorage({ world, s3 });
    // A root that holds the server's own folder may be used, but no table may lie in that.
    const folderOf = (name: TableName): string => {
      const folder = `${root}/${safeSegment(name.database)}/${safeSegment(name.table)}`;
      allowPlace(context, folder);
      return folder;
    };
    return {
      describeTable: (name) => describeParquetTable({ storage, world }, folderOf(name), name),
      keepsVersions: true,
      scanTable: (name, scan) => scanParquetTable({ ...scan, storage, world, folder: folderOf(name), name }),
      openTable: (table) => openTable(parsed, table, { storage, world, guard, folder: folderOf(table.name) }),
      joinTable: async (table, ticket) =>
        joinTable(parsed, table, { storage, world, folder: folderOf(table.name), ticket }),
      async dropTable(name) {
        await guard();
        return dropParquetTable({ storage, world }, folderOf(name));
      },
      close: async () => {},
    };
  },
};
