import { Failure } from '../../errors.ts';
import type { MetadataVersion } from '../iceberg/metadata.ts';
import type { TableMetadata } from '../iceberg/model.ts';
import type { TableName } from './port.ts';

/** The next state of a table, for its catalog to put in place of the present one. */
export interface TableCommit {
  /** The state that `next` was made from; undefined creates the table. */
  readonly base: MetadataVersion | undefined;
  readonly next: TableMetadata;
  /** Of the commit, milliseconds; never before the base's. */
  readonly now: number;
  /** Where the metadata file of this version goes, when the catalog leaves writing it to us. */
  readonly file: (version: number) => string;
  /** Throws `lease_lost` when a newer attempt owns the work; asked last before the catalog is told. */
  readonly guard: () => Promise<void>;
}

/**
 * The catalog of Iceberg tables as commits need it. One kind keeps the name of a metadata file that we write; another
 * is told the changes and writes the file itself: whoever commits does not see which.
 */
export interface TableCatalog {
  /** What a commit has to bring so that every older one that is still on its way fails: anything, or a new snapshot. */
  readonly fencedBy: 'commit' | 'snapshot';
  load(name: TableName): Promise<MetadataVersion | undefined>;
  /** Works for tables whose metadata cannot be read, too. */
  exists(name: TableName): Promise<boolean>;
  /**
   * Answers the state that is current now; undefined when another writer was first. Throws `UnknownOutcome` when it may
   * have happened or may happen yet; any other failure means that it did not. Whenever it surely did not, nothing that
   * the catalog wrote for it remains.
   */
  commit(name: TableName, commit: TableCommit): Promise<MetadataVersion | undefined>;
  /** Forgets the table, never its files. */
  drop(name: TableName): Promise<boolean>;
  list(database?: string): Promise<readonly TableName[]>;
}

/** The catalog was told of a commit and its answer was lost: the commit may have happened. */
export class UnknownOutcome extends Failure {}

/** The failure of a commit whose answer was lost. */
export function unknownOutcome(name: TableName, cause: unknown): UnknownOutcome {
  const message = `The catalog did not answer the commit of ${name.database}.${name.table}.`;
  return new UnknownOutcome('connection_lost', message, { cause });
}
