import type { Transaction } from '../../store/index.ts';
import type { Actor, Principal, Role } from '../types.ts';

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

/** Tokens with their secrets: a secret is answered once, at its making; only its SHA-256 is stored. */
export interface StorageTokens {
  /**
   * Who shows this text: for a run token the *bound* token with the run token's `expires` and `isRestricted`. Undefined
   * when it is unknown, expired or revoked. API tokens and the bootstrap token act as their user's master token.
   */
  identify(text: string): Promise<StorageToken | undefined>;
  /** The master token row of a user (or of the bootstrap principal), made at the first call. */
  masterOf(principal: Principal): Promise<StorageToken>;
  get(id: number): Promise<StorageToken | undefined>;
  /** As `get`, also of revoked tokens: for names in the history. */
  describe(ids: readonly number[]): Promise<ReadonlyMap<number, StorageToken>>;
  list(project: string): Promise<readonly StorageToken[]>;
  create(by: StorageToken, token: NewStorageToken, actor: Actor): Promise<{ token: StorageToken; secret: string }>;
  update(id: number, change: Partial<NewStorageToken>, actor: Actor): Promise<StorageToken>;
  refresh(id: number, actor: Actor): Promise<{ token: StorageToken; secret: string }>;
  revoke(tx: Transaction, id: number): Promise<void>;
  /** A token of kind `orchestration` with exactly canManageBuckets and canReadAllFileUploads, owned by the maker's user. */
  createForOrchestration(tx: Transaction, by: StorageToken, description: string): Promise<StorageToken>;
  /** A run token text for a job of the bound token. */
  mintRun(tx: Transaction, boundId: number, run: { runId: string; isRestricted: boolean }): Promise<string>;
  /** Run tokens of a job end one hour after this. */
  endRun(tx: Transaction, runId: string): Promise<void>;
}
