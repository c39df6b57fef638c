import type {
  IcebergTable,
  IcebergTicket,
  IcebergUnit,
  SealedFiles,
  Storage,
  TableCatalog,
  TableName,
  WrittenBatch,
} from '../../lakehouse/index.ts';
import {
  createStorage,
  describeColumns,
  dropIcebergTable,
  folderWord,
  joinIcebergTable,
  maintainIcebergTable,
  openIcebergTable,
  scanLiveRows,
  isS3Path,
  localPath,
  probeStorage,
} from '../../lakehouse/index.ts';
import type {
  BatchPlace,
  Checkpoint,
  CommitUnit,
  DestinationConnector,
  DestinationContext,
  DestinationTable,
  MaintenancePolicy,
  MaintenanceResult,
  OpenTable,
  TableWriter,
} from '../kit/index.ts';
import { tableDataset } from '../kit/index.ts';
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
  maintains: true,
  catalogs: catalogWords,
  laterCatalogs,
  spec: icebergSpec,
  placeOf(config, world) {
    const { warehouse, s3 } = readConfig(config);
    return warehouse === undefined ? undefined : { root: warehouse, storage: createStorage({ world, s3 }) };
  },
  datasetOf(config, table) {
    const { warehouse } = readConfig(config);
    return warehouse === undefined ? undefined : tableDataset(warehouse, table);
  },
  async check(config, context) {
    const lake = await openLake(readConfig(config), context);
    try {
      await probe(lake);
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
      async describeTable(name) {
        const table = await lake.catalog.load(name);
        return table && describeColumns(table.metadata);
      },
      async scanTable(name, { columns, sink, signal }) {
        const table = await lake.catalog.load(name);
        if (!table) return false;
        allowLocation(lake.context, table.metadata.location);
        await scanLiveRows({ storage: lake.storageOf(name), signal }, table.metadata, { columns, sink });
        return true;
      },
      keepsVersions: lake.config.appendsOnly,
      openTable: (table) => openTable(lake, table),
      joinTable: async (table, ticket) => joinTable(lake, table, ticket as IcebergTicket),
      maintain: (name, work) => maintainTable(lake, name, work),
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
  /** Files of one table: by credentials that the catalog lends, where it does. */
  storageOf(name: TableName): Storage;
  readonly lends: boolean;
  readonly warehouse: string;
  readonly catalog: TableCatalog;
  close(): Promise<void>;
}

async function openLake(config: IcebergConfig, context: DestinationContext): Promise<Lake> {
  const warehouse = config.warehouse ?? context.warehouse;
  allowLocation(context, warehouse);
  const storage = createStorage({ world: context.world, s3: config.s3, allowLocal: context.allowPath });
  const { lentStorage, ...open } = await openCatalog(config.catalog, context, { storage, s3: config.s3, warehouse });
  const lends = lentStorage !== undefined;
  return { config, context, warehouse, storage, lends, storageOf: lentStorage ?? (() => storage), ...open };
}

async function probe({ context, warehouse, storage, lends }: Lake): Promise<void> {
  if (lends) {
    context.log({ level: 'info', message: `the catalog lends credentials for each table below ${warehouse}` });
    return;
  }
  context.log({ level: 'info', message: `writing, reading and removing a probe in ${warehouse}` });
  await probeStorage({ storage, world: context.world }, warehouse);
}

/** The check of local folders; what lies in S3 is the keys' to allow. */
function allowLocation({ allowPath }: DestinationContext, location: string): void {
  if (!isS3Path(location)) allowPath(localPath(location));
}

/** A warehouse that holds the server's own folder may be used, but no table may lie in that. */
function locate(lake: Lake, name: TableName): string {
  const location = `${lake.warehouse}/${folderWord(name.database)}/${folderWord(name.table)}`;
  allowLocation(lake.context, location);
  return location;
}

async function openTable(lake: Lake, open: OpenTable): Promise<DestinationTable> {
  const { config, context, catalog } = lake;
  const identifier = config.appendsOnly ? undefined : open.identifier;
  const table = await openIcebergTable({
    ...open,
    storage: lake.storageOf(open.name),
    catalog,
    world: context.world,
    guard: context.guard,
    location: locate(lake, open.name),
    identifier,
    identifierFields: identifier !== undefined,
    codec: 'zstd',
    targetFileBytes: LARGEST_FILE_BYTES,
    allowLocation: (location) => allowLocation(context, location),
    deleteMode: open.removal?.deleteMode ?? config.deleteMode,
    ...((open.removal?.deletes ?? config.deletes) === 'apply' && { removes: { column: '_op_type', value: 'd' } }),
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
      return bindUnit(lake, table.beginUnit());
    },
    get ticket() {
      return table.ticket();
    },
    adoptUnit: async ({ files }) => bindUnit(lake, await table.adoptUnit(files as SealedFiles)),
    publishStaged: (checkpoint) => table.publishStaged(checkpoint),
    discardStaged: () => table.discardStaged(),
    readRows: (places) => table.readRows(places),
    drop: async () => void (await dropTable(lake, open.name)),
    close: () => table.close(),
  };
}

function bindUnit(lake: Lake, unit: IcebergUnit): CommitUnit {
  return {
    get bytes() {
      return unit.bytes;
    },
    get rows() {
      return unit.rows;
    },
    write: async (batch) => toPlace(await unit.write(batch)),
    commit(effect, checkpoint) {
      const appends = effect === 'upsert' && lake.config.appendsOnly;
      return unit.commit(appends ? 'append' : effect, checkpoint);
    },
    abort: () => unit.abort(),
  };
}

/** Joins a table that another process has open; where its files lie, the ticket says. */
function joinTable(lake: Lake, open: OpenTable, ticket: IcebergTicket): TableWriter {
  const { context } = lake;
  const writer = joinIcebergTable(
    {
      ...open,
      storage: lake.storageOf(open.name),
      world: context.world,
      codec: 'zstd',
      targetFileBytes: LARGEST_FILE_BYTES,
      allowLocation: (location) => allowLocation(context, location),
    },
    ticket,
  );
  return {
    beginUnit() {
      const unit = writer.beginUnit();
      return {
        get bytes() {
          return unit.bytes;
        },
        get rows() {
          return unit.rows;
        },
        write: async (batch) => toPlace(await unit.write(batch)),
        seal: async () => ({ files: await unit.seal(), rows: unit.rows, bytes: unit.bytes }),
        abort: () => unit.abort(),
      };
    },
    close: async () => {},
  };
}

const toPlace = ({ file, row, placeOf }: WrittenBatch): BatchPlace => ({ file, firstRow: row, placeOf });

/** Upkeep goes wherever the catalog says that the table lies, if this server may write there. */
async function maintainTable(
  lake: Lake,
  name: TableName,
  work: { readonly policy: MaintenancePolicy; readonly signal: AbortSignal },
): Promise<MaintenanceResult | undefined> {
  const { context, catalog } = lake;
  return maintainIcebergTable({
    ...work,
    storage: lake.storageOf(name),
    catalog,
    name,
    world: context.world,
    guard: context.guard,
    codec: 'zstd',
    allowLocation: (location) => allowLocation(context, location),
    notice: (message) => context.log({ level: 'warn', message: `${name.database}.${name.table}: ${message}` }),
  });
}

async function dropTable(lake: Lake, name: TableName): Promise<boolean> {
  await lake.context.guard();
  const { dropped, kept } = await dropIcebergTable({
    ...lake,
    storage: lake.storageOf(name),
    world: lake.context.world,
    name,
    location: locate(lake, name),
  });
  if (kept) lake.context.log({ level: 'warn', message: `the files of the table stay: ${kept}` });
  return dropped;
}
