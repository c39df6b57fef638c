import type { Generated, Kysely } from 'kysely';
import type { Queryable } from '../store/index.ts';
import type { Role } from './types.ts';

/** The tables of this room as its statements see them (migration 0002). */
export interface AccessTables {
  readonly users: {
    readonly id: Generated<number>;
    readonly username: string;
    readonly email: string;
    readonly role: Role;
    readonly password_hash: string;
    readonly created_at: Generated<Date>;
    readonly updated_at: Generated<Date>;
  };
  readonly sessions: {
    readonly id: string;
    readonly user_id: number;
    readonly created_at: Generated<Date>;
    readonly expires_at: Date;
  };
  readonly tokens: {
    readonly id: string;
    readonly user_id: number;
    readonly session_id: string | null;
    readonly name: string;
    readonly token_hash: Buffer;
    readonly created_at: Generated<Date>;
  };
  readonly sign_in_failures: {
    readonly id: Generated<number>;
    readonly origin: Buffer;
    readonly failed_at: Generated<Date>;
  };
  readonly server_key: { readonly only_one: Generated<boolean>; readonly key_id: string };
  readonly audit: {
    readonly id: Generated<number>;
    readonly at: Generated<Date>;
    readonly user_id: number | null;
    readonly username: string;
    readonly face: string;
    readonly action: string;
    readonly project: string | null;
    readonly subject: string;
    readonly request_id: string | null;
  };
}

/** Narrows the database to the tables of this room. */
export function accessTables(db: Queryable): Kysely<AccessTables> {
  return db as unknown as Kysely<AccessTables>;
}
