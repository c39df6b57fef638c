import type { IcebergTable, Storage, TableCatalog, TableName } from '../../lakehouse/index.ts';
import {
  createLocalStorage,
  dropIcebergTable,
  folderWord,
  openIcebergTable,
  probeLocalFolder,
} from '../../lakehouse/index.ts';
import type {
  Checkpoint,
  DestinationConnector,
  DestinationContext,
  DestinationTable,
  OpenTable,
} from '../kit/index.ts';
import { openCatalog } from './catalog.ts';
import type { IcebergConfig } from './config.ts';
import { laterCatalogs, readConfig } from './config.ts';
import { catalogWords, icebergSpec } from './spec.ts';

const LARGEST_FILE_BYTES = 512 * 1024 * 1024;

/** Apache Iceberg tables of format 2 in a warehouse folder, committed through a catalog. */
export const connector: DestinationConnector = {
  kind: 'destination',
  type: 'iceberg',
  synonyms: [],
  title: 'Apache Iceberg',
  version: '1.0.0',
  catalogs: catalogWords,
  laterCatalogs,
  spec: icebergSpec,
  async check(config, context) {
    const lake = await openLake(readConfig(config), context);
    try {
      context.log({ level: 'info', message: `writing, reading and removing a probe in ${lake.warehouse}` });
      await probeLocalFolder(context.world, lake.warehouse);
      context.log({ level: 'info', message: 'asking the catalog' });
      await lake.catalog.exists({ database: 'penstock_probe', table: 'penstock_probe' });
      context.log({ level: 'info', message: 'warehouse and catalog can be used' });
    } finally {
      await lake.close();
    }
  },
  async open(config, context) {
    const lake = await openLake(readConfig(config), context);
    return {
      openTable: (table) => openTable(lake, table),
      dropTable: (name) => dropTable(lake, name),
      close: () => lake.close(),
    };
  },
};

/** Warehouse and catalog of one session. */
interface Lake {
  readonly config: IcebergConfig;
  readonly context: DestinationContext;
  readonly storage: Storage;
  readonly warehouse: string;
  readonly catalog: TableCatalog;
  close(): Promise<void>;
}

async function openLake(config: IcebergConfig, context: DestinationContext): Promise<Lake> {
  const warehouse = config.warehouse ?? context.warehouse;
  context.allowPath(warehouse);
  const storage = createLocalStorage(context.world);
  return { config, context, warehouse, storage, ...(await openCatalog(config.catalog, context, storage)) };
}

/** A warehouse that holds the server's own folder may be used, but no table may lie in that. */
function locate(lake: Lake, name: TableName): string {
  const location = `${lake.warehouse}/${folderWord(name.database)}/${folderWord(name.table)}`;
  lake.context.allowPath(location);
  return location;
}

async function openTable(lake: Lake, open: OpenTable): Promise<DestinationTable> {
  const { config, context, storage, catalog } = lake;
  const identifier = config.appendsOnly ? undefined : open.identifier;
  const table = await openIcebergTable({
    ...open,
    storage,
    catalog,
    world: context.world,
    guard: context.guard,
    location: locate(lake, open.name),
    identifier,
    identifierFields: identifier !== undefined,
    codec: 'zstd',
    targetFileBytes: LARGEST_FILE_BYTES,
    allowLocation: context.allowPath,
    ...(config.deletes === 'apply' && { removes: { column: '_op_type', value: 'd' } }),
  });
  return bindTable(lake, table, open);
}

function bindTable(lake: Lake, table: IcebergTable, open: OpenTable): DestinationTable {
  return {
    get checkpoint() {
      // Whoever wrote it went through `commit` below.
      return table.checkpoint as Checkpoint | undefined;
    },
    get rows() {
      return table.rows;
    },
    beginUnit() {
      const unit = table.beginUnit();
      return {
        get bytes() {
          return unit.bytes;
        },
        get rows() {
          return unit.rows;
        },
        async write(batch) {
          const { file, row, placeOf } = await unit.write(batch);
          return { file, firstRow: row, placeOf };
        },
        commit(effect, checkpoint) {
          const appends = effect === 'upsert' && lake.config.appendsOnly;
          return unit.commit(appends ? 'append' : effect, checkpoint);
        },
        abort: () => unit.abort(),
      };
    },
    publishStaged: (checkpoint) => table.publishStaged(checkpoint),
    discardStaged: () => table.discardStaged(),
    readRows: (places) => table.readRows(places),
    drop: async () => void (await dropTable(lake, open.name)),
    close: () => table.close(),
  };
}

async function dropTable(lake: Lake, name: TableName): Promise<boolean> {
  await lake.context.guard();
  const { dropped, kept } = await dropIcebergTable({
    ...lake,
    world: lake.context.world,
    name,
    location: locate(lake, name),
  });
  if (kept) lake.context.log({ level: 'warn', message: `the files of the table stay: ${kept}` });
  return dropped;
}
