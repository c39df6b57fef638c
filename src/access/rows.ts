import type { Role } from './types.ts';

/** A user as stored, with the password hash that never leaves this room. */
export interface UserRow {
  readonly id: number;
  readonly username: string;
  readonly email: string;
  readonly role: Role;
  readonly passwordHash: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A valid session or token with its user. */
export interface CredentialRow {
  readonly userId: number;
  readonly username: string;
  readonly role: Role;
  readonly sessionId: string | null;
  /** The session was last prolonged long enough ago to be prolonged again. */
  readonly stale: boolean;
}
