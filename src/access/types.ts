import type { Queryable, Transaction } from '../store/index.ts';
import type { Actor, AuditEntry, Principal, Role } from './people.ts';
import type { StorageTokens } from './tokens/types.ts';

export type * from './people.ts';

export interface User {
  readonly id: number;
  readonly username: string;
  readonly email: string;
  readonly role: Role;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface NewUser {
  readonly username: string;
  readonly email: string;
  readonly password: string;
  readonly role: Role;
}

export interface SignedIn {
  readonly principal: Principal;
  /** Value for the session cookie. */
  readonly cookie: string;
  /** API token bound to the session. */
  readonly token: string;
  readonly maxAgeSeconds: number;
}

/** The one principal store, shared by all faces. */
export interface Access {
  /** Wrong user and wrong password fail alike (`unauthenticated`), in similar time; throttled per address and name. */
  signIn(attempt: { username: string; password: string; address: string }): Promise<SignedIn>;
  /** Ends the session and every token bound to it; idempotent. */
  signOut(cookie: string): Promise<void>;
  /** As `signOut`, for the session of a principal that showed a token. */
  endSession(sessionId: string): Promise<void>;
  /** The first valid credential wins; invalid ones beside it are ignored. */
  authenticate(credentials: { cookies: readonly string[]; tokens: readonly string[] }): Promise<Principal | null>;
  /** With `by`, this and the three below leave an audit entry in the transaction of the change. */
  signUp(user: Omit<NewUser, 'role'>, by?: Actor): Promise<User>;
  listUsers(paging: { limit?: number; offset: number }): Promise<{ users: readonly User[]; total: number }>;
  createUser(user: NewUser, by?: Actor): Promise<User>;
  updateUser(id: number, change: Partial<NewUser>, by?: Actor): Promise<User>;
  /** Sessions and tokens end at once. `conflict` for the last admin. */
  deleteUser(id: number, by?: Actor): Promise<User>;
  audit(tx: Queryable, entry: AuditEntry): Promise<void>;
  readonly secrets: Secrets;
  /** Who acts in the orchestrator. */
  readonly tokens: StorageTokens;
}

/** Envelope encryption: a new data key per value, wrapped by the server key; AES-256-GCM; AAD binds a value to its place. */
export interface Secrets {
  seal(plaintext: string, place: string): string;
  /** Throws `internal` when the text was changed or moved. */
  open(sealed: string, place: string): string;
}

export type { Transaction };
