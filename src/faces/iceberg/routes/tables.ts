import { Failure } from '../../../errors.ts';
import { readRequirements, readUpdates, type TableState, type CommitInput } from '../../../warehouse/index.ts';
import { CommitBody, CreateTableBody, RegisterBody, RenameBody, TransactionBody } from '../contract.ts';
import { readFlag, route, type FaceRooms, type Route } from '../route.ts';

/** Tables of a project's catalog. */
export function tableRoutes(rooms: FaceRooms): Route[] {
  return [...listRoutes(rooms), ...oneRoutes(rooms), ...commitRoutes(rooms), ...nameRoutes(rooms)];
}

/** Nothing secret: who reads the files needs rights of its own at the storage. */
function showTable({ location, metadata }: TableState): unknown {
  return { 'metadata-location': location ?? null, metadata, config: {} };
}

function listRoutes({ warehouse }: FaceRooms): Route[] {
  return [
    route({
      methods: ['GET'],
      path: '/namespaces/:namespace/tables',
      role: 'viewer',
      summary: 'Tables of a namespace',
      async handle({ project, namespace, page }) {
        const { items, next } = await warehouse.listTables(project, namespace(), page());
        return { 'next-page-token': next ?? null, identifiers: items };
      },
    }),
    route({
      methods: ['POST'],
      path: '/namespaces/:namespace/tables',
      role: 'editor',
      summary: 'Create a table, or prepare one for a later commit (`stage-create`)',
      body: CreateTableBody,
      async handle({ scope, namespace, body }) {
        const input = {
          name: body.name,
          ...(typeof body.location === 'string' && { location: body.location }),
          schema: body.schema,
          partitionSpec: body['partition-spec'],
          sortOrder: body['write-order'],
          properties: body.properties,
        };
        if (body['stage-create'] === true) return showTable(await warehouse.stageTable(scope, namespace(), input));
        return showTable(await warehouse.createTable(scope, namespace(), input));
      },
    }),
  ];
}

function oneRoutes({ warehouse }: FaceRooms): Route[] {
  return [
    route({
      methods: ['GET'],
      path: '/namespaces/:namespace/tables/:table',
      role: 'viewer',
      summary: 'Load a table; `snapshots=refs` names only snapshots of branches and tags',
      async handle({ project, table, query }) {
        const loaded = await warehouse.loadTable(project, table());
        const snapshots = query('snapshots') ?? 'all';
        if (snapshots !== 'all' && snapshots !== 'refs') {
          throw new Failure('bad_request', 'The query parameter snapshots must be all or refs.');
        }
        return showTable(snapshots === 'refs' ? onlyReferenced(loaded) : loaded);
      },
    }),
    route({
      methods: ['HEAD'],
      path: '/namespaces/:namespace/tables/:table',
      role: 'viewer',
      summary: 'Whether a table exists',
      handle: ({ project, table }) => warehouse.checkTable(project, table()),
    }),
    route({
      methods: ['DELETE'],
      path: '/namespaces/:namespace/tables/:table',
      role: 'editor',
      summary: 'Drop a table; with `purgeRequested=true` its files, too',
      handle: ({ scope, table, query }) =>
        warehouse.dropTable(scope, table(), readFlag(query('purgeRequested'), 'purgeRequested')),
    }),
    route({
      methods: ['POST'],
      path: '/namespaces/:namespace/tables/:table/metrics',
      // Whoever reads a table reports how.
      role: 'viewer',
      summary: 'Takes reports of engines, and keeps none',
      handle: async () => undefined,
    }),
  ];
}

function onlyReferenced(state: TableState): TableState {
  const { metadata } = state;
  const named = new Set(Object.values(metadata.refs).map((ref) => ref['snapshot-id']));
  const snapshots = metadata.snapshots.filter((one) => named.has(one['snapshot-id']));
  return { ...state, metadata: { ...metadata, snapshots } };
}

function commitRoutes({ warehouse }: FaceRooms): Route[] {
  return [
    route({
      methods: ['POST'],
      path: '/namespaces/:namespace/tables/:table',
      role: 'editor',
      summary: 'Commit changes to a table',
      body: CommitBody,
      async handle({ scope, table, body }) {
        const { location, metadata } = await warehouse.commit(scope, readCommit(table(), body));
        return { 'metadata-location': location, metadata };
      },
    }),
    route({
      methods: ['POST'],
      path: '/transactions/commit',
      role: 'editor',
      summary: 'Commit changes to several tables, all or none',
      body: TransactionBody,
      async handle({ scope, body }) {
        const commits = body['table-changes'].map((one) => readCommit(one.identifier, one));
        await warehouse.commitAll(scope, commits);
      },
    }),
  ];
}

function readCommit(
  table: CommitInput['table'],
  body: { readonly requirements?: unknown; readonly updates?: unknown },
): CommitInput {
  return { table, requirements: readRequirements(body.requirements), updates: readUpdates(body.updates) };
}

function nameRoutes({ warehouse }: FaceRooms): Route[] {
  return [
    route({
      methods: ['POST'],
      path: '/namespaces/:namespace/register',
      role: 'editor',
      summary: 'Add a table by its metadata file',
      body: RegisterBody,
      async handle({ scope, namespace, body }) {
        const source = { metadataLocation: body['metadata-location'], overwrites: body.overwrite ?? false };
        const table = { namespace: namespace(), name: body.name };
        return showTable(await warehouse.registerTable(scope, table, source));
      },
    }),
    route({
      methods: ['POST'],
      path: '/tables/rename',
      role: 'editor',
      summary: 'Give a table another name or namespace',
      body: RenameBody,
      handle: ({ scope, body: { source, destination } }) => warehouse.renameTable(scope, source, destination),
    }),
  ];
}
