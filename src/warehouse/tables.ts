import { Failure } from '../errors.ts';
import type { MetadataVersion, TableMetadata } from '../lakehouse/index.ts';
import { createPointerTables, dropIcebergTable, metadataVersion, parseMetadata } from '../lakehouse/index.ts';
import type { Transaction } from '../store/index.ts';
import { catalogIn } from './catalog.ts';
import { commitTables, findTable, writeMetadata } from './commit.ts';
import { checkTableName, cutPage, joinLevels, missingTable, rowName, showTable, takenTable } from './names.ts';
import { assertNamespace } from './namespaces.ts';
import { describeNewTable, usualLocation } from './new-table.ts';
import { createPlaces } from './places.ts';
import { purgeFiles } from './purge.ts';
import { newUuid } from './uuid.ts';
import type { NewTableInput, Namespace, TableId, Warehouse, WarehouseRooms, WarehouseScope } from './types.ts';

type TableCalls = Omit<
  Warehouse,
  'listNamespaces' | 'createNamespace' | 'loadNamespace' | 'changeNamespace' | 'dropNamespace'
>;

/** Tables of the built-in catalogs. */
export function createTables(rooms: WarehouseRooms): TableCalls {
  const { store } = rooms;
  return {
    async listTables(project, namespace, page) {
      await assertNamespace(store.db, project, namespace);
      const names = (await catalogIn(store.db, project).list(joinLevels(namespace))).map(({ table }) => table).sort();
      const { items, next } = cutPage(names, (name) => name, page);
      return { items: items.map((name) => ({ namespace, name })), ...(next !== undefined && { next }) };
    },
    createTable: (scope, namespace, input) => createTable(rooms, scope, { namespace, input }),
    async stageTable({ project }, namespace, input) {
      return { location: undefined, metadata: await planTable(rooms, project, { namespace, input }) };
    },
    async loadTable(project, table) {
      const found = await findTable({ rooms, project, places: createPlaces(rooms, project) }, table);
      if (found) return found;
      await assertNamespace(store.db, project, table.namespace);
      throw missingTable(table);
    },
    async openTable(project, table) {
      const places = createPlaces(rooms, project);
      const found = await findTable({ rooms, project, places }, table);
      return found && { ...found, storage: await places.reach(found.metadata.location) };
    },
    async checkTable(project, table) {
      if (!(await catalogIn(store.db, project).load(rowName(table)))) throw missingTable(table);
    },
    async commit({ project }, commit) {
      return (await commitTables(rooms, project, [commit]))[0]!;
    },
    async commitAll({ project }, commits) {
      const names = commits.map(({ table }) => showTable(table));
      if (new Set(names).size < names.length)
        throw new Failure('bad_request', 'A table occurs twice in the transaction.');
      await commitTables(rooms, project, commits);
    },
    dropTable: (scope, table, purges) => dropTable(rooms, scope, { table, purges }),
    registerTable: (scope, table, source) => registerTable(rooms, scope, { table, ...source }),
    renameTable: (scope, from, to) => renameTable(rooms, scope, { from, to }),
  };
}

interface Creation {
  readonly namespace: Namespace;
  readonly input: NewTableInput;
}

async function planTable(
  rooms: WarehouseRooms,
  project: string,
  { namespace, input }: Creation,
): Promise<TableMetadata> {
  const table = { namespace, name: input.name };
  checkTableName(input.name);
  await assertNamespace(rooms.store.db, project, namespace);
  if (await catalogIn(rooms.store.db, project).load(rowName(table))) throw takenTable(table);
  const places = createPlaces(rooms, project);
  const location = input.location?.replace(/\/+$/, '') || usualLocation(places.home, table);
  await places.open(location);
  return describeNewTable(input, location, { now: rooms.world.now().getTime(), uuid: newUuid(rooms.world) });
}

async function createTable(rooms: WarehouseRooms, scope: WarehouseScope, creation: Creation): Promise<MetadataVersion> {
  const table = { namespace: creation.namespace, name: creation.input.name };
  const metadata = await planTable(rooms, scope.project, creation);
  const storage = await createPlaces(rooms, scope.project).open(metadata.location);
  const made = await writeMetadata({ world: rooms.world, storage }, metadata, 0);
  const isFirst = await rooms.store.transaction(async (tx) => {
    await audit(rooms, tx, { scope, action: 'create table', table });
    return catalogIn(tx, scope.project).swap(rowName(table), { expected: null, next: made.location });
  });
  if (isFirst) return made;
  await storage.remove(made.location).catch(() => undefined);
  throw takenTable(table);
}

async function dropTable(
  rooms: WarehouseRooms,
  scope: WarehouseScope,
  { table, purges }: { readonly table: TableId; readonly purges: boolean },
): Promise<void> {
  const { store, world } = rooms;
  const { project } = scope;
  const places = createPlaces(rooms, project);
  const name = rowName(table);
  const catalog = catalogIn(store.db, project);
  if (!(await catalog.load(name))) throw missingTable(table);
  const loaded = purges ? await findTable({ rooms, project, places }, table) : undefined;
  await store.transaction((tx) => audit(rooms, tx, { scope, action: purges ? 'purge table' : 'drop table', table }));
  if (!loaded) {
    if (!(await catalog.drop(name))) throw missingTable(table);
    return;
  }
  const { location } = loaded.metadata;
  const storage = await places.reach(location);
  if (location === usualLocation(places.home, table)) {
    // As a sync drops its tables: what a kill leaves goes when a table is made there again.
    const tables = createPointerTables({ storage, world, catalog });
    await dropIcebergTable({ storage, catalog: tables, world, name, location });
    return;
  }
  if (!(await catalog.drop(name))) throw missingTable(table);
  await purgeFiles(storage, loaded);
}

async function registerTable(
  rooms: WarehouseRooms,
  scope: WarehouseScope,
  input: { readonly table: TableId; readonly metadataLocation: string; readonly overwrites: boolean },
): Promise<MetadataVersion> {
  const { table, metadataLocation: location } = input;
  const { store } = rooms;
  checkTableName(table.name);
  await assertNamespace(store.db, scope.project, table.namespace);
  const metadata = await readRegistered(rooms, scope.project, location);
  const taken = await store.transaction(async (tx) => {
    const catalog = catalogIn(tx, scope.project);
    const entry = await catalog.load(rowName(table));
    if (entry && !input.overwrites) return true;
    await audit(rooms, tx, { scope, action: 'register table', table });
    return !(await catalog.swap(rowName(table), { expected: entry?.metadataLocation ?? null, next: location }));
  });
  if (taken) throw takenTable(table);
  return { location, metadata };
}

const LARGEST_REGISTERED_BYTES = 128 * 1024 * 1024;

/** A metadata file that somebody names: below the project's places, as the table that it describes. */
async function readRegistered(rooms: WarehouseRooms, project: string, location: string): Promise<TableMetadata> {
  const places = createPlaces(rooms, project);
  const storage = await places.open(location);
  const size = await storage.size(location);
  const refused = (reason: string): Failure => new Failure('bad_request', `The metadata file ${location} ${reason}.`);
  if (size === undefined) throw refused('does not exist');
  if (size > LARGEST_REGISTERED_BYTES || !location.endsWith('.metadata.json')) throw refused('is no table metadata');
  const bytes = await storage.read(location);
  const metadata = readMetadata(bytes?.toString() ?? '', refused);
  if (typeof metadata.location !== 'string' || metadataVersion(location) < 0) throw refused('is no table metadata');
  await places.open(metadata.location);
  return metadata;
}

function readMetadata(text: string, refused: (reason: string) => Failure): TableMetadata {
  try {
    return parseMetadata(text);
  } catch (error) {
    if (error instanceof Failure) throw new Failure('bad_request', error.message);
    throw refused('is not JSON');
  }
}

async function renameTable(
  rooms: WarehouseRooms,
  scope: WarehouseScope,
  { from, to }: { readonly from: TableId; readonly to: TableId },
): Promise<void> {
  const { project } = scope;
  checkTableName(to.name);
  await assertNamespace(rooms.store.db, project, to.namespace);
  const loaded = await findTable({ rooms, project, places: createPlaces(rooms, project) }, from);
  if (!loaded) throw missingTable(from);
  if (Object.keys(loaded.metadata.properties).some((key) => key.startsWith('penstock.checkpoint.'))) {
    throw new Failure('conflict', `A sync writes the table ${showTable(from)} under this name.`, {
      advice: 'Change the destination database or table in the job, or drop the table.',
    });
  }
  const changed = await rooms.store.transaction(async (tx) => {
    if (await catalogIn(tx, project).load(rowName(to))) throw takenTable(to);
    await audit(rooms, tx, { scope, action: 'rename table', table: from });
    const [old, next] = [rowName(from), rowName(to)];
    const result = await tx
      .updateTable('iceberg_tables')
      .set({ table_namespace: next.database, table_name: next.table })
      .where('catalog_name', '=', project)
      .where('table_namespace', '=', old.database)
      .where('table_name', '=', old.table)
      .executeTakeFirst();
    return Number(result.numUpdatedRows);
  });
  if (changed === 0) throw missingTable(from);
}

async function audit(
  { access }: WarehouseRooms,
  tx: Transaction,
  { scope, action, table }: { readonly scope: WarehouseScope; readonly action: string; readonly table: TableId },
): Promise<void> {
  await access.audit(tx, { ...scope.actor, project: scope.project, action, subject: showTable(table) });
}
