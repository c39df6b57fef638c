import { setTimeout as pause } from 'node:timers/promises';
import { Failure } from '../../../errors.ts';
import type { World } from '../../../world.ts';
import type { MetadataVersion } from '../../iceberg/metadata.ts';
import { asMetadata, currentSchema } from '../../iceberg/metadata.ts';
import type { TableName } from '../port.ts';
import type { TableCatalog, TableCommit } from '../tables.ts';
import { unknownOutcome } from '../tables.ts';
import type { RestBase, RestCredentials } from './credentials.ts';
import { createAuthorize } from './credentials.ts';
import { containsChange, describeChange } from './difference.ts';
import type { RestAnswer, RestCall, RestHttp } from './http.ts';
import { answerFailure, createRestHttp } from './http.ts';

export interface RestCatalogOptions {
  /** Base of the catalog, without `/v1`. */
  readonly url: string;
  /** Name of the warehouse for the catalog. */
  readonly warehouse?: string;
  readonly credentials: RestCredentials;
  readonly headers?: Readonly<Record<string, string>>;
  /** Asks the catalog to lend credentials for the files of tables. */
  readonly borrows?: boolean;
  readonly world: World;
  /** Of one try. */
  readonly timeoutMs?: number;
}

/** A catalog that another system serves by the Iceberg REST protocol. */
export interface RestCatalog extends TableCatalog {
  /** What the catalog gives for the files of a table, e.g. credentials of a while; undefined when there is no table. */
  loadSettings(name: TableName): Promise<Readonly<Record<string, string>> | undefined>;
}

interface Session {
  readonly http: RestHttp;
  readonly world: World;
  /** `<base>/v1/[prefix/]`. */
  readonly root: string;
  /** Endpoints that the catalog names; undefined when it names none. */
  readonly endpoints: ReadonlySet<string> | undefined;
}

/** Asks the catalog for its settings, and opens it. */
export async function openRestCatalog(options: RestCatalogOptions): Promise<RestCatalog> {
  const session = await openSession(options);
  return {
    fencedBy: 'snapshot',
    load: async (name) => (await loadTable(session, name))?.version,
    loadSettings: async (name) => (await loadTable(session, name))?.settings,
    exists: (name) => exists(session, name),
    commit: (name, commit) => (commit.base ? commitChange(session, name, commit) : createTable(session, name, commit)),
    drop: (name) => drop(session, name),
    list: (database) => list(session, database),
  };
}

async function openSession(options: RestCatalogOptions): Promise<Session> {
  const { world } = options;
  const base = readBase(options.url);
  const headers = {
    ...options.headers,
    ...(options.borrows && { 'x-iceberg-access-delegation': 'vended-credentials' }),
  };
  const http = createRestHttp({ ...options, headers, authorize: createAuthorize(options.credentials, base, world) });
  const url = new URL(`${base.href}/v1/config`);
  if (options.warehouse) url.searchParams.set('warehouse', options.warehouse);
  const answer = await http({ method: 'GET', url, repeats: true });
  if (answer.status !== 200) throw answerFailure(answer, 'the question for its settings');
  const { defaults, overrides, endpoints } = (answer.body ?? {}) as Readonly<Record<string, unknown>>;
  const settings = { ...(defaults as object), ...(overrides as object) } as Readonly<Record<string, unknown>>;
  const uri: RestBase = typeof settings['uri'] === 'string' ? readBase(settings['uri']) : base;
  // Credentials go where they were meant for, whatever the settings say.
  const root = uri.origin === base.origin ? uri : base;
  const prefix = typeof settings['prefix'] === 'string' ? settings['prefix'].replaceAll(/^\/+|\/+$/g, '') : '';
  return {
    http,
    world,
    root: `${root.href}/v1/${prefix === '' ? '' : `${prefix.split('/').map(encodeURIComponent).join('/')}/`}`,
    endpoints: Array.isArray(endpoints) ? new Set(endpoints.map(String)) : undefined,
  };
}

/** Throws `configuration_invalid` when the text is no base of a catalog. */
function readBase(text: string): RestBase {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '' || url.hash !== '') {
    throw new Failure('configuration_invalid', 'The URL of the REST catalog is not of the form https://host/path.', {
      details: [{ field: 'rest_catalog_url', reason: 'must be an http(s) URL without credentials and query' }],
    });
  }
  const path = url.pathname.replace(/\/+$/, '').replace(/\/v1$/, '');
  return { origin: url.origin, href: `${url.origin}${path}` };
}

const tablesUrl = (session: Session, database: string): URL =>
  new URL(`${session.root}namespaces/${encodeURIComponent(database)}/tables`);

const tableUrl = (session: Session, { database, table }: TableName): URL =>
  new URL(`${tablesUrl(session, database).href}/${encodeURIComponent(table)}`);

interface LoadedTable {
  readonly version: MetadataVersion;
  readonly settings: Readonly<Record<string, string>>;
}

async function loadTable(session: Session, name: TableName): Promise<LoadedTable | undefined> {
  const answer = await session.http({ method: 'GET', url: tableUrl(session, name), repeats: true });
  if (answer.status === 404) return undefined;
  return readTable(answer, name);
}

function readTable(answer: RestAnswer, { database, table }: TableName): LoadedTable {
  const {
    metadata,
    config,
    'metadata-location': location,
    'storage-credentials': lent,
  } = (answer.body ?? {}) as Readonly<Record<string, unknown>>;
  if (answer.status !== 200 || typeof metadata !== 'object')
    throw answerFailure(answer, `the table ${database}.${table}`);
  return {
    version: { location: typeof location === 'string' ? location : '', metadata: asMetadata(metadata) },
    settings: { ...(config as object), ...lentFor(metadata as { location?: unknown }, lent) },
  };
}

/** Of credentials by location, those of the longest prefix of the table's. */
function lentFor(metadata: { readonly location?: unknown }, lent: unknown): Readonly<Record<string, string>> {
  const { location } = metadata;
  const offers = (Array.isArray(lent) ? lent : []) as readonly { prefix?: unknown; config?: unknown }[];
  const fits = offers.filter(
    ({ prefix }) => typeof prefix === 'string' && typeof location === 'string' && location.startsWith(prefix),
  );
  const best = fits.toSorted((left, right) => String(right.prefix).length - String(left.prefix).length)[0];
  return (best?.config ?? {}) as Readonly<Record<string, string>>;
}

async function exists(session: Session, name: TableName): Promise<boolean> {
  const canHead = session.endpoints?.has('HEAD /v1/{prefix}/namespaces/{namespace}/tables/{table}') ?? false;
  const call: RestCall = { method: canHead ? 'HEAD' : 'GET', url: tableUrl(session, name), repeats: true };
  const answer = await session.http(call);
  if (answer.status === 404) return false;
  if (answer.status >= 300) throw answerFailure(answer, `the table ${name.database}.${name.table}`);
  return true;
}

/** The catalog gives the new table its first metadata; what it leaves out of ours is for a commit afterwards. */
async function createTable(
  session: Session,
  name: TableName,
  { next, guard }: TableCommit,
): Promise<MetadataVersion | undefined> {
  const spec = next['partition-specs'].find((one) => one['spec-id'] === next['default-spec-id']);
  const body = {
    name: name.table,
    location: next.location,
    schema: currentSchema(next),
    ...(spec && spec.fields.length > 0 && { 'partition-spec': spec }),
    properties: { 'format-version': '2', ...next.properties },
    'stage-create': false,
  };
  await guard();
  session.world.reach('iceberg.before-swap');
  const create = (): Promise<RestAnswer> =>
    session.http({ method: 'POST', url: tablesUrl(session, name.database), body, repeats: false });
  let answer = await create();
  if (answer.status === 404) {
    await createNamespace(session, name.database);
    answer = await create();
  }
  if (answer.status === 409) return undefined;
  // One that was lost after it had been done is found by whoever looks for the table.
  if (answer.status >= 500) throw unknownOutcome(name, answerFailure(answer, 'the new table'));
  const { version } = readTable(answer, name);
  session.world.reach('iceberg.swapped');
  return version;
}

async function createNamespace(session: Session, database: string): Promise<void> {
  const url = new URL(`${session.root}namespaces`);
  const body = { namespace: [database], properties: {} };
  const answer = await session.http({ method: 'POST', url, body, repeats: true });
  if (answer.status !== 200 && answer.status !== 409) throw answerFailure(answer, `the namespace ${database}`);
}

const MOST_TRIES = 4;

/**
 * Tells the changes. When the answer is lost, the table is read to learn what happened; if it shows nothing, the same
 * changes are sent again: they hold on the base's snapshot alone, so they cannot happen twice.
 */
async function commitChange(
  session: Session,
  name: TableName,
  { base, next, guard }: TableCommit,
): Promise<MetadataVersion | undefined> {
  const { world } = session;
  const identifier = { namespace: [name.database], name: name.table };
  const body = { identifier, ...describeChange(base!.metadata, next) };
  for (let tries = 1; ; tries++) {
    await guard();
    world.reach('iceberg.before-swap');
    const answer = await tell(session, name, body);
    const isKnown = !(answer instanceof Failure) && answer.status < 500;
    if (isKnown && answer.status === 200) {
      world.reach('iceberg.swapped');
      return readTable(answer, name).version;
    }
    // A refusal after a lost answer may be due to our own changes.
    if (!isKnown || tries > 1) {
      const now = await loadTable(session, name).catch((error: unknown) => {
        throw unknownOutcome(name, error);
      });
      if (now && containsChange(now.version.metadata, base!.metadata, next)) return now.version;
    }
    if (isKnown) {
      if (answer.status === 409) return undefined;
      throw answerFailure(answer, `the commit of ${name.database}.${name.table}`);
    }
    if (tries >= MOST_TRIES) throw unknownOutcome(name, answer instanceof Failure ? answer : new Error(answer.message));
    await pause(100 * 2 ** tries + (world.random(1)[0]! % 100));
  }
}

/** The answer, or why there is none. */
async function tell(session: Session, name: TableName, body: unknown): Promise<RestAnswer | Failure> {
  try {
    return await session.http({ method: 'POST', url: tableUrl(session, name), body, repeats: false });
  } catch (error) {
    if (error instanceof Failure && error.kind === 'unreachable') return error;
    throw error;
  }
}

async function drop(session: Session, name: TableName): Promise<boolean> {
  const url = tableUrl(session, name);
  url.searchParams.set('purgeRequested', 'false');
  const answer = await session.http({ method: 'DELETE', url, repeats: true });
  if (answer.status === 404) return false;
  if (answer.status >= 300) throw answerFailure(answer, `the drop of ${name.database}.${name.table}`);
  return true;
}

async function list(session: Session, database: string | undefined): Promise<readonly TableName[]> {
  const databases = database === undefined ? await listNamespaces(session) : [database];
  const tables: TableName[] = [];
  for (const one of databases) {
    for await (const page of pages(session, tablesUrl(session, one))) {
      const identifiers = (page['identifiers'] ?? []) as readonly { readonly name: string }[];
      tables.push(...identifiers.map(({ name }) => ({ database: one, table: name })));
    }
  }
  return tables;
}

async function listNamespaces(session: Session): Promise<string[]> {
  const found: string[] = [];
  for await (const page of pages(session, new URL(`${session.root}namespaces`))) {
    const namespaces = (page['namespaces'] ?? []) as readonly (readonly string[])[];
    found.push(...namespaces.filter((levels) => levels.length === 1).map((levels) => levels[0]!));
  }
  return found;
}

/** Every page of a list; a list that is not there is empty. */
async function* pages(session: Session, url: URL): AsyncGenerator<Readonly<Record<string, unknown>>> {
  for (let token: unknown = ''; typeof token === 'string';) {
    url.searchParams.set('pageToken', token);
    const answer = await session.http({ method: 'GET', url, repeats: true });
    if (answer.status === 404) return;
    if (answer.status !== 200) throw answerFailure(answer, 'a list');
    const page = (answer.body ?? {}) as Readonly<Record<string, unknown>>;
    yield page;
    token = page['next-page-token'] || undefined;
  }
}
