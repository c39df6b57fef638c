export interface TableName {
  readonly database: string;
  readonly table: string;
}

export interface CatalogEntry {
  readonly metadataLocation: string;
  readonly previousMetadataLocation: string | null;
}

/** A table catalog with compare-and-swap, as JDBC catalogs lay it out. Implementations never interpret metadata. */
export interface CatalogPort {
  load(name: TableName): Promise<CatalogEntry | undefined>;
  /** Creates when `expected` is null, else swaps. False when somebody else was first. Throws when the lease is lost. */
  swap(name: TableName, change: { readonly expected: string | null; readonly next: string }): Promise<boolean>;
  drop(name: TableName): Promise<boolean>;
  list(database?: string): Promise<readonly TableName[]>;
}
