import type { Kysely, Transaction as KyselyTransaction } from 'kysely';
import type { Pool } from 'pg';
import type { Database } from './schema.ts';

export type { Database } from './schema.ts';
export type Db = Kysely<Database>;
export type Transaction = KyselyTransaction<Database>;
/** What a statement function takes: it runs alone or inside the caller's transaction. */
export type Queryable = Db | Transaction;

/** The database, open and migrated. */
export interface Store {
  readonly db: Db;
  readonly pool: Pool;
  /** Where workers and children of this process connect; holds a password if there is one: never log it. */
  readonly url: string;
  /** Runs `work` in one transaction; repeats all of it on serialization failures and deadlocks (40001, 40P01). */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Sends after the commit of `tx`. Speed only: every listener also polls. */
  notify(tx: Queryable, channel: string, payload: string): Promise<void>;
  /** Calls `handler` for each notification until the returned function is called; reconnects by itself. */
  listen(channel: string, handler: (payload: string) => void): Promise<() => Promise<void>>;
  /** Closes connections; stops the embedded server when this process owns it. */
  close(): Promise<void>;
}
