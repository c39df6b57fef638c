/** A value that is bound to a parameter of a statement, and one that a row holds. */
export type SqlValue = string | number | boolean | null;

export interface SqlStatement {
  /** One statement; its parameters are `$1`, `$2`, … */
  readonly text: string;
  readonly values: readonly SqlValue[];
  /** Told of each row as it comes: the names of the columns, and values that JSON holds exactly (else their text). */
  readonly row: (columns: readonly string[], values: readonly SqlValue[]) => void;
}

export interface SqlOutcome {
  /** Rows that it wrote, changed or removed; 0 for other statements. */
  readonly rowsAffected: number;
  /** Whether it answers rows, be it none. */
  readonly answersRows: boolean;
}

/** A connection that runs statements of users, one at a time. Rows are never gathered. */
export interface SqlSession {
  run(statement: SqlStatement): Promise<SqlOutcome>;
  begin(): Promise<void>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /**
   * The table that a name, spelled as in a statement that has just gone well, means now. Undefined for views, temporary tables
   * and what is not there; absent where it cannot be told.
   */
  findTable?(name: string): Promise<{ readonly namespace: string; readonly name: string } | undefined>;
  /** Drops the connection at once; answers when the database has been asked to end the running statement. */
  abandon(): Promise<void>;
  close(): Promise<void>;
}
