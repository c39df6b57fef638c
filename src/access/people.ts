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
