/**
 * A change of a table as the Iceberg REST protocol spells it (TableUpdate), with its own members beside the word. Numbers
 * beyond 2^53 are bigints.
 */
export interface TableUpdate {
  readonly action: string;
  readonly [key: string]: unknown;
}

/** What has to hold of a table before a commit (TableRequirement). */
export interface TableRequirement {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** The changes of one commit with what they were made upon. */
export interface TableChange {
  readonly requirements: readonly TableRequirement[];
  readonly updates: readonly TableUpdate[];
}
