import type { Queryable, Transaction } from '../../store/index.ts';
import type { Actor, Principal, Role } from '../people.ts';

/** A storage token: who acts in the orchestrator, and with which rights (keboola contract, sections 3 and 12). */
export interface StorageToken {
  readonly id: number;
  readonly project: string;
  readonly kind: 'user' | 'orchestration' | 'run';
  /** The user whose role bounds it. 0 for the bootstrap token. */
  readonly userId: number;
  readonly role: Role;
  /** Name of that user, for the audit. */
  readonly username: string;
  readonly description: string;
  readonly isMaster: boolean;
  readonly canManageBuckets: boolean;
  readonly canManageTokens: boolean;
  readonly canReadAllFileUploads: boolean;
  readonly canPurgeTrash: boolean;
  readonly bucketPermissions: Readonly<Record<string, unknown>>;
  /** Components that its jobs may call; empty = all. */
  readonly componentAccess: readonly string[];
  readonly created: Date;
  readonly refreshed: Date | null;
  readonly expires: Date | null;
  readonly isExpired: boolean;
  readonly isDisabled: boolean;
  readonly creator: { readonly id: number; readonly description: string } | null;
  /** Of a run token: it may verify itself and post events only. */
  readonly isRestricted: boolean;
}

export interface NewStorageToken {
  readonly description: string;
  readonly canManageBuckets?: boolean;
  readonly canManageTokens?: boolean;
  readonly canReadAllFileUploads?: boolean;
  readonly canPurgeTrash?: boolean;
  readonly bucketPermissions?: Readonly<Record<string, unknown>>;
  readonly componentAccess?: readonly string[];
  readonly expiresInSeconds?: number;
}

/** What a change may replace; absent fields stay as they are. */
export type StorageTokenChange = Pick<
  Partial<NewStorageToken>,
  'description' | 'bucketPermissions' | 'componentAccess'
>;

/** Who changes tokens: a token within its rights, and its user for the audit. */
export interface TokenScope {
  readonly token: StorageToken;
  readonly actor: Actor;
}

/** Tokens with their secrets: a secret is answered once, at its making; only its SHA-256 is stored. */
export interface StorageTokens {
  /**
   * Who shows this text: for a run token the *bound* token with the run token's `expires` and `isRestricted`. Undefined
   * when it is unknown, expired or revoked, or its user is gone. API tokens and the bootstrap token act as their user's
   * master token.
   */
  identify(text: string): Promise<StorageToken | undefined>;
  /** The master token row of a user (or of the bootstrap principal), made at the first call. */
  masterOf(principal: Principal): Promise<StorageToken>;
  /** Undefined when there is none, or it is revoked. An expired one is answered. */
  get(id: number): Promise<StorageToken | undefined>;
  /** As `get`, also of revoked tokens: for names in the history. Reads by `db` where it is given, e.g. in a transaction. */
  describe(ids: readonly number[], db?: Queryable): Promise<ReadonlyMap<number, StorageToken>>;
  /** Those that are not revoked, by ascending id; never run tokens. */
  list(project: string): Promise<readonly StorageToken[]>;
  /**
   * `forbidden` when more is asked than the maker has; a maker who manages no tokens makes a copy of its own rights.
   * `conflict` beyond 1000 tokens of a project.
   */
  create(by: TokenScope, token: NewStorageToken): Promise<{ token: StorageToken; secret: string }>;
  /** `forbidden` for master tokens and for those that go beyond the rights of who changes them. */
  update(by: TokenScope, id: number, change: StorageTokenChange): Promise<StorageToken>;
  /** A new secret; the old one dies at once. A token may do this for itself, others need to manage tokens. */
  refresh(by: TokenScope, id: number): Promise<{ token: StorageToken; secret: string }>;
  /** As `update`; `check` runs in the transaction, before the token ends, and may refuse. */
  remove(by: TokenScope, id: number, check: (tx: Transaction) => Promise<void>): Promise<void>;
  /** Ends a token; idempotent. */
  revoke(tx: Transaction, id: number): Promise<void>;
  /** A token of kind `orchestration` with exactly canManageBuckets and canReadAllFileUploads, owned by the maker's user. */
  createForOrchestration(tx: Transaction, by: StorageToken, description: string): Promise<StorageToken>;
  /** A run token text for a run of the bound token; `forbidden` when that is revoked, expired or without its user. */
  mintRun(tx: Transaction, boundId: number, run: { runId: string; isRestricted: boolean }): Promise<string>;
  /** Run tokens of a run end one hour after this. */
  endRun(tx: Transaction, runId: string): Promise<void>;
}
