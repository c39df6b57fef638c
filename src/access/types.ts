import type { Queryable, Transaction } from '../store/index.ts';
import type { StorageTokens } from './tokens/types.ts';

export type Role = 'admin' | 'editor' | 'viewer';

/** Who makes a request: a user by session or token. */
export interface Principal {
  readonly userId: number;
  readonly username: string;
  readonly role: Role;
  /** Hash of the session that a session cookie or session-bound token belongs to. */
  readonly sessionId: string | null;
  /** Seconds that a session cookie lives from now, when this request prolonged it: the browser has to be told. */
  readonly prolongedSeconds?: number;
}

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

export interface AuditEntry {
  readonly principal: Principal | null;
  readonly face: string;
  /** Verb and noun, e.g. `create source`. */
  readonly action: string;
  readonly project?: string;
  readonly subject: string;
  readonly requestId?: string;
}

/** Who changes something, for the audit. */
export type Actor = Pick<AuditEntry, 'principal' | 'face' | 'requestId'>;

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
