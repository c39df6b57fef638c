import type { Access, Actor } from '../access/index.ts';
import type { MetadataVersion, Storage, TableRequirement, TableUpdate } from '../lakehouse/index.ts';
import type { Store } from '../store/index.ts';
import type { World } from '../world.ts';

/** A folder or a part of a bucket below which tables of a project may lie. */
export interface Place {
  /** Location without a slash at its end. */
  readonly root: string;
  readonly storage: Storage;
}

/** What the warehouse stands on. */
export interface WarehouseRooms {
  readonly store: Store;
  readonly world: World;
  readonly access: Pick<Access, 'audit'>;
  /** The place of new tables that name none: a folder of this server. */
  homeOf(project: string): Place;
  /** Further places: the warehouses of the project's Iceberg destinations. */
  placesOf(project: string): Promise<readonly Place[]>;
  /** Throws when this server may not use a local folder or file for the project. Follows links. */
  checkFolder(project: string, path: string): void;
}

/** Levels of a namespace, the outermost first. */
export type Namespace = readonly string[];

export interface TableId {
  readonly namespace: Namespace;
  readonly name: string;
}

/** A project with who asks. */
export interface WarehouseScope {
  readonly project: string;
  readonly actor: Actor;
}

/** A part of a list. */
export interface PageQuery {
  readonly size?: number;
  readonly token?: string;
}

export interface ListPage<Item> {
  readonly items: readonly Item[];
  readonly next?: string;
}

/** A new table as a client describes it; every part is checked. */
export interface NewTableInput {
  readonly name: string;
  readonly location?: string;
  readonly schema: unknown;
  readonly partitionSpec?: unknown;
  readonly sortOrder?: unknown;
  readonly properties?: unknown;
}

export interface CommitInput {
  readonly table: TableId;
  readonly requirements: readonly TableRequirement[];
  readonly updates: readonly TableUpdate[];
}

/** Metadata with its file; without one for a table that is only being prepared. */
export interface TableState extends Omit<MetadataVersion, 'location'> {
  readonly location: string | undefined;
}

/**
 * The built-in catalog of each project as other engines see it. Missing things are `not_found`, taken names `conflict`
 * (the first detail names `namespace` or `table`), refused commits `commit_conflict`.
 */
export interface Warehouse {
  listNamespaces(project: string, query: PageQuery & { readonly parent?: Namespace }): Promise<ListPage<Namespace>>;
  createNamespace(scope: WarehouseScope, namespace: Namespace, properties: unknown): Promise<Record<string, string>>;
  loadNamespace(project: string, namespace: Namespace): Promise<Record<string, string>>;
  changeNamespace(
    scope: WarehouseScope,
    namespace: Namespace,
    change: { readonly updates: unknown; readonly removals: unknown },
  ): Promise<{ readonly updated: string[]; readonly removed: string[]; readonly missing: string[] }>;
  /** `conflict` while something lies in it. */
  dropNamespace(scope: WarehouseScope, namespace: Namespace): Promise<void>;
  listTables(project: string, namespace: Namespace, query: PageQuery): Promise<ListPage<TableId>>;
  createTable(scope: WarehouseScope, namespace: Namespace, input: NewTableInput): Promise<MetadataVersion>;
  /** The metadata that a table would get; nothing is kept of it. */
  stageTable(scope: WarehouseScope, namespace: Namespace, input: NewTableInput): Promise<TableState>;
  loadTable(project: string, table: TableId): Promise<MetadataVersion>;
  /** A table with what reaches its files, for readers inside this server; undefined when there is none. */
  openTable(project: string, table: TableId): Promise<(MetadataVersion & { readonly storage: Storage }) | undefined>;
  checkTable(project: string, table: TableId): Promise<void>;
  commit(scope: WarehouseScope, commit: CommitInput): Promise<MetadataVersion>;
  /** All or none. */
  commitAll(scope: WarehouseScope, commits: readonly CommitInput[]): Promise<void>;
  /** With `purges`, the files below the table's location go, too. */
  dropTable(scope: WarehouseScope, table: TableId, purges: boolean): Promise<void>;
  registerTable(
    scope: WarehouseScope,
    table: TableId,
    source: { readonly metadataLocation: string; readonly overwrites: boolean },
  ): Promise<MetadataVersion>;
  renameTable(scope: WarehouseScope, from: TableId, to: TableId): Promise<void>;
}
