import { sql } from 'kysely';
import { Failure } from '../errors.ts';
import { readList, readTexts } from '../lakehouse/index.ts';
import type { Queryable, Transaction } from '../store/index.ts';
import { checkNamespace, cutPage, joinLevels, missingNamespace, splitLevels } from './names.ts';
import type { ListPage, Namespace, PageQuery, Warehouse, WarehouseRooms, WarehouseScope } from './types.ts';

/** The property that says no more than that a namespace exists. */
const EXISTS = 'exists';
const LONGEST_KEY = 255;
const LONGEST_VALUE = 1000;
const MOST_PROPERTIES = 500;

type NamespaceCalls = Pick<
  Warehouse,
  'listNamespaces' | 'createNamespace' | 'loadNamespace' | 'changeNamespace' | 'dropNamespace'
>;

/** Namespaces are rows of properties; one also exists while tables or further levels lie in it. */
export function createNamespaces({ store, access }: WarehouseRooms): NamespaceCalls {
  return {
    listNamespaces: (project, query) => listNamespaces(store.db, project, query),
    async createNamespace(scope, namespace, input) {
      checkNamespace(namespace);
      const properties = readProperties(input);
      await store.transaction(async (tx) => {
        const values = { ...properties, [EXISTS]: 'true' };
        const added = await addProperties(tx, { project: scope.project, namespace }, values);
        if (!added) throw takenNamespace(namespace);
        await access.audit(tx, entry(scope, 'create namespace', namespace));
      });
      return properties;
    },
    async loadNamespace(project, namespace) {
      await assertNamespace(store.db, project, namespace);
      return loadProperties(store.db, project, namespace);
    },
    async changeNamespace(scope, namespace, change) {
      const updates = readProperties(change.updates);
      const removals = readList(change.removals ?? [], 'removals').map(String);
      const both = removals.find((key) => Object.hasOwn(updates, key));
      if (both !== undefined) {
        throw new Failure('unprocessable', `The property "${both}" is to be set and removed at once.`);
      }
      return store.transaction((tx) =>
        changeProperties(tx, { project: scope.project, namespace }, { updates, removals }),
      );
    },
    async dropNamespace(scope, namespace) {
      await store.transaction(async (tx) => {
        await assertNamespace(tx, scope.project, namespace);
        await assertEmpty(tx, scope.project, namespace);
        await ofNamespace(tx, scope.project, namespace).execute();
        await access.audit(tx, entry(scope, 'drop namespace', namespace));
      });
    },
  };
}

const ofNamespace = (tx: Queryable, project: string, namespace: Namespace) =>
  tx
    .deleteFrom('iceberg_namespace_properties')
    .where('catalog_name', '=', project)
    .where('namespace', '=', joinLevels(namespace));

interface Owner {
  readonly project: string;
  readonly namespace: Namespace;
}

const rowsOf = ({ project, namespace }: Owner, values: Readonly<Record<string, string>>) =>
  Object.entries(values).map(([key, value]) => ({
    catalog_name: project,
    namespace: joinLevels(namespace),
    property_key: key,
    property_value: value,
  }));

/** False when the namespace exists already. */
async function addProperties(tx: Transaction, owner: Owner, values: Record<string, string>): Promise<boolean> {
  if (await namespaceExists(tx, owner.project, owner.namespace)) return false;
  const added = await tx
    .insertInto('iceberg_namespace_properties')
    .values(rowsOf(owner, values))
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return Number(added.numInsertedOrUpdatedRows) === Object.keys(values).length;
}

async function changeProperties(
  tx: Transaction,
  owner: Owner,
  { updates, removals }: { readonly updates: Record<string, string>; readonly removals: readonly string[] },
): Promise<{ updated: string[]; removed: string[]; missing: string[] }> {
  await assertNamespace(tx, owner.project, owner.namespace);
  const before = await loadProperties(tx, owner.project, owner.namespace);
  const removed = removals.filter((key) => Object.hasOwn(before, key));
  if (removed.length > 0) {
    await ofNamespace(tx, owner.project, owner.namespace).where('property_key', 'in', removed).execute();
  }
  // A namespace that exists by its tables alone is kept from here on.
  const values = rowsOf(owner, { ...updates, [EXISTS]: 'true' });
  if (Object.keys({ ...before, ...updates }).length > MOST_PROPERTIES) throw tooMany();
  await tx
    .insertInto('iceberg_namespace_properties')
    .values(values)
    .onConflict((conflict) =>
      conflict
        .columns(['catalog_name', 'namespace', 'property_key'])
        .doUpdateSet((set) => ({ property_value: set.ref('excluded.property_value') })),
    )
    .execute();
  return { updated: Object.keys(updates), removed, missing: removals.filter((key) => !removed.includes(key)) };
}

async function loadProperties(db: Queryable, project: string, namespace: Namespace): Promise<Record<string, string>> {
  const rows = await db
    .selectFrom('iceberg_namespace_properties')
    .select(['property_key', 'property_value'])
    .where('catalog_name', '=', project)
    .where('namespace', '=', joinLevels(namespace))
    .where('property_key', '<>', EXISTS)
    .orderBy('property_key')
    .execute();
  return Object.fromEntries(rows.map((row) => [row.property_key, row.property_value ?? '']));
}

/** Names of all namespaces that have properties or tables, as the rows spell them. */
async function allNamespaces(db: Queryable, project: string): Promise<string[]> {
  const rows = await db
    .selectFrom('iceberg_namespace_properties')
    .select('namespace')
    .where('catalog_name', '=', project)
    .union(db.selectFrom('iceberg_tables').select('table_namespace as namespace').where('catalog_name', '=', project))
    .execute();
  return rows.map((row) => row.namespace);
}

async function listNamespaces(
  db: Queryable,
  project: string,
  { parent, ...page }: PageQuery & { readonly parent?: Namespace },
): Promise<ListPage<Namespace>> {
  const all = await allNamespaces(db, project);
  const above = parent === undefined ? '' : `${joinLevels(parent)}.`;
  if (parent && !all.some((name) => `${name}.`.startsWith(above))) throw missingNamespace(parent);
  const depth = (parent?.length ?? 0) + 1;
  const below = all
    .filter((name) => name.startsWith(above))
    .map((name) => joinLevels(splitLevels(name).slice(0, depth)));
  const { items, next } = cutPage([...new Set(below)].sort(), (name) => name, page);
  return { items: items.map(splitLevels), ...(next !== undefined && { next }) };
}

export async function namespaceExists(db: Queryable, project: string, namespace: Namespace): Promise<boolean> {
  const name = joinLevels(namespace);
  const found = await sql<{ found: boolean }>`
    select exists (
      select from iceberg_namespace_properties
      where catalog_name = ${project} and (namespace = ${name} or starts_with(namespace, ${`${name}.`}))
    ) or exists (
      select from iceberg_tables
      where catalog_name = ${project} and (table_namespace = ${name} or starts_with(table_namespace, ${`${name}.`}))
    ) as found`.execute(db);
  return found.rows[0]?.found ?? false;
}

export async function assertNamespace(db: Queryable, project: string, namespace: Namespace): Promise<void> {
  if (!(await namespaceExists(db, project, namespace))) throw missingNamespace(namespace);
}

async function assertEmpty(tx: Transaction, project: string, namespace: Namespace): Promise<void> {
  const name = joinLevels(namespace);
  const table = await tx
    .selectFrom('iceberg_tables')
    .select('table_name')
    .where('catalog_name', '=', project)
    .where('table_namespace', '=', name)
    .limit(1)
    .executeTakeFirst();
  const isParent = (await allNamespaces(tx, project)).some((one) => one.startsWith(`${name}.`));
  if (!table && !isParent) return;
  throw new Failure('conflict', `The namespace ${name} is not empty.`, {
    details: [{ field: 'namespace', reason: 'not empty' }],
  });
}

function takenNamespace(namespace: Namespace): Failure {
  return new Failure('conflict', `The namespace ${joinLevels(namespace)} exists already.`, {
    details: [{ field: 'namespace', reason: 'exists' }],
  });
}

function readProperties(input: unknown): Record<string, string> {
  const properties = readTexts(input ?? {}, 'properties');
  for (const [key, value] of Object.entries(properties)) {
    if (key === '' || key.length > LONGEST_KEY || value.length > LONGEST_VALUE) {
      throw new Failure(
        'bad_request',
        `A property has a key of 1 to ${LONGEST_KEY} and a value of up to ${LONGEST_VALUE} characters.`,
      );
    }
    if (key === EXISTS) throw new Failure('bad_request', `The property "${EXISTS}" is the catalog's own.`);
  }
  if (Object.keys(properties).length > MOST_PROPERTIES) throw tooMany();
  return properties;
}

const tooMany = (): Failure => new Failure('bad_request', `A namespace has at most ${MOST_PROPERTIES} properties.`);

function entry({ project, actor }: WarehouseScope, action: string, namespace: Namespace) {
  return { ...actor, project, action, subject: joinLevels(namespace) };
}
