import type { TableName } from '../../lakehouse/index.ts';
import {
  createLocalStorage,
  describeParquetTable,
  dropParquetTable,
  probeLocalFolder,
  safeSegment,
} from '../../lakehouse/index.ts';
import type { DestinationConnector } from '../kit/index.ts';
import { readConfig } from './config.ts';
import { parquetSpec } from './spec.ts';
import { joinTable, openTable } from './table.ts';

/** Plain Parquet files in folders, each table with a manifest that makes commits exactly-once. */
export const connector: DestinationConnector = {
  kind: 'destination',
  type: 'parquet',
  synonyms: ['s3'],
  title: 'Parquet',
  version: '1.0.0',
  catalogs: [],
  spec: () => parquetSpec,
  async check(config, context) {
    const { root } = readConfig(config);
    context.allowPath(root);
    context.log({ level: 'info', message: `writing, reading and removing a probe in ${root}` });
    await probeLocalFolder(context.world, root);
    context.log({ level: 'info', message: 'the folder can be used' });
  },
  async open(config, context) {
    const parsed = readConfig(config);
    const { root } = parsed;
    context.allowPath(root);
    const { world, guard } = context;
    const storage = createLocalStorage(world);
    // A root that holds the server's own folder may be used, but no table may lie in that.
    const folderOf = (name: TableName): string => {
      const folder = `${root}/${safeSegment(name.database)}/${safeSegment(name.table)}`;
      context.allowPath(folder);
      return folder;
    };
    return {
      describeTable: (name) => describeParquetTable({ storage, world }, folderOf(name), name),
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
