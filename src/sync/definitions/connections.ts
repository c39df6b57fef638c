import { Failure } from '../../errors.ts';
import { addConnection, auditConnection, checkConnection, nameTaken, replaceConnection } from './connection-writes.ts';
import { lastRunOf } from './last-run.ts';
import * as rows from './tables/connections.ts';
import type { ConnectionRow } from './tables/connections.ts';
import { listJobsAt } from './tables/jobs.ts';
import { orConflict } from './unique.ts';
import type {
  ConnectionInput,
  ConnectionItem,
  ConnectionKind,
  ConnectionView,
  DefinitionRooms,
  JobSummary,
  Page,
  Paging,
  Scope,
} from './types.ts';

/** Sources, or destinations, of all projects. */
export interface Connections {
  readonly kind: ConnectionKind;
  list(project: string, paging: Paging): Promise<Page<ConnectionItem>>;
  /** `not_found` when the project has no live row of that id. */
  get(project: string, id: number): Promise<ConnectionItem>;
  create(scope: Scope, input: ConnectionInput): Promise<number>;
  /** Replaces all values. A changed type or config cancels running syncs of the jobs that use it. */
  update(scope: Scope, id: number, input: ConnectionInput): Promise<void>;
  /** Marks it deleted and answers its name; `conflict` while a live job uses it. */
  remove(scope: Scope, id: number): Promise<string>;
  isNameTaken(project: string, name: string): Promise<boolean>;
}

/** Builds the sources or the destinations; `cancelSyncs` ends running syncs at a connection. */
export function createConnections(
  rooms: DefinitionRooms,
  kind: ConnectionKind,
  cancelSyncs: (ids: readonly number[], by: string) => Promise<void>,
): Connections {
  const { store } = rooms;
  const lock = (project: string, id: number) => ({ project, kind, id, lock: true });
  return {
    kind,
    async list(project, paging) {
      const page = await rows.listConnections(store.db, { project, kind, ...paging });
      return { items: await withJobs(rooms, kind, page.items), total: page.total };
    },
    async get(project, id) {
      const row = found(await rows.findConnection(store.db, { project, kind, id }), kind);
      const [item] = await withJobs(rooms, kind, [row]);
      return item!;
    },
    async create(scope, input) {
      const checked = checkConnection(rooms, kind, input);
      const id = await store.transaction((tx) => addConnection(rooms, tx, { scope, checked }));
      if (id === undefined) throw nameTaken(kind, checked.name, scope.project);
      return id;
    },
    async update(scope, id, input) {
      const checked = checkConnection(rooms, kind, input);
      const write = store.transaction(async (tx) => {
        const row = found(await rows.findConnection(tx, lock(scope.project, id)), kind);
        return replaceConnection(rooms, tx, { scope, checked, row });
      });
      const changed = await orConflict(write, () => nameTaken(kind, checked.name, scope.project));
      if (changed) await cancelSyncs([id], scope.actor.principal.username);
    },
    remove: (scope, id) => remove(rooms, { scope, kind, id }),
    async isNameTaken(project, name) {
      return (await rows.findConnectionByName(store.db, { project, kind, name: name.trim() })) !== undefined;
    },
  };
}

async function remove(
  rooms: DefinitionRooms,
  { scope, kind, id }: { readonly scope: Scope; readonly kind: ConnectionKind; readonly id: number },
): Promise<string> {
  return rooms.store.transaction(async (tx) => {
    const row = found(await rows.findConnection(tx, { project: scope.project, kind, id, lock: true }), kind);
    const [user] = await listJobsAt(tx, kind, [id]);
    if (user) throw new Failure('conflict', `${kind} '${row.name}' is used by job '${user.name}'`);
    await rows.markConnectionDeleted(tx, id, scope.actor.principal.username);
    await auditConnection(rooms, tx, { scope, action: `delete ${kind}`, id });
    return row.name;
  });
}

async function withJobs(
  rooms: DefinitionRooms,
  kind: ConnectionKind,
  items: readonly ConnectionRow[],
): Promise<ConnectionItem[]> {
  const jobs = await listJobsAt(
    rooms.store.db,
    kind,
    items.map((row) => row.id),
  );
  const byConnection = Map.groupBy(jobs, (job) => job.connection_id);
  return items.map((row) => ({
    ...viewOf(row),
    jobs: (byConnection.get(row.id) ?? []).map((job): JobSummary => ({
      id: job.id,
      name: job.name,
      active: job.active,
      otherName: job.other_name,
      otherType: job.other_type,
      lastRun: lastRunOf(job),
    })),
  }));
}

function viewOf(row: ConnectionRow): ConnectionView {
  return {
    id: row.id,
    project: row.project,
    kind: row.kind,
    name: row.name,
    type: row.type,
    version: row.version,
    config: { form: row.config_form, text: row.shown_config },
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    createdBy: row.created_by,
    updatedBy: row.updated_by,
  };
}

function found(row: ConnectionRow | undefined, kind: ConnectionKind): ConnectionRow {
  if (row === undefined) throw new Failure('not_found', `no such ${kind}`);
  return row;
}
