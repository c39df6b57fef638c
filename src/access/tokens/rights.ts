import { Failure } from '../../errors.ts';
import type { Role } from '../types.ts';
import type { StorageToken } from './types.ts';

/** What a request asks of its token: to name itself, to read, to start what is defined, to change what is defined. */
export type Right = 'verify' | 'read' | 'start' | 'change';

const RANKS: Readonly<Record<Role, number>> = { viewer: 0, editor: 1, admin: 2 };

/**
 * Fails with `forbidden` unless the token may do this (keboola contract, section 3). A restricted run token may only name
 * itself; a viewer changes nothing.
 */
export function checkRight(token: StorageToken, right: Right): void {
  if (right === 'verify') return;
  if (token.isRestricted) {
    throw new Failure('forbidden', `Token ${token.id} is restricted: it can only verify itself`);
  }
  if (right === 'change' && token.role === 'viewer') {
    throw new Failure('forbidden', `Token ${token.id} belongs to a viewer, who can change nothing`);
  }
}

/** Fails with `forbidden` unless the token may make and change other tokens; `toDo` ends the sentence. */
export function checkManagesTokens(token: StorageToken, toDo: string): void {
  checkRight(token, 'change');
  if (token.canManageTokens) return;
  throw new Failure('forbidden', `Token ${token.id} must have canManageTokens to ${toDo}`);
}

/**
 * Whether a token may make things act as another one: as itself always, as others when it manages tokens and neither
 * their user nor their components go beyond its own.
 */
export function checkBinds(token: StorageToken, other: StorageToken): void {
  if (other.id === token.id) return checkRight(token, 'change');
  checkManagesTokens(token, `act with token ${other.id}`);
  checkWithin(token, other);
}

/** Fails with `forbidden` when the other token can do what this one cannot. */
export function checkWithin(token: StorageToken, other: StorageToken): void {
  if (RANKS[other.role] > RANKS[token.role]) {
    throw new Failure('forbidden', `Token ${other.id} belongs to a user with the role ${other.role}`);
  }
  checkGrants(token, other);
}

export const FLAGS = ['canManageBuckets', 'canManageTokens', 'canReadAllFileUploads', 'canPurgeTrash'] as const;

type Grant = Partial<Pick<StorageToken, (typeof FLAGS)[number] | 'componentAccess'>>;

/** Fails with `forbidden` when what is to be granted is more than the granting token has. */
export function checkGrants(token: StorageToken, grant: Grant): void {
  const lacking = FLAGS.find((flag) => grant[flag] && !token[flag]);
  if (lacking !== undefined) throw new Failure('forbidden', `Token ${token.id} must have ${lacking} to grant it`);
  const { componentAccess } = grant;
  if (token.componentAccess.length === 0 || componentAccess === undefined) return;
  const beyond = componentAccess.find((component) => !token.componentAccess.includes(component));
  if (componentAccess.length > 0 && beyond === undefined) return;
  throw new Failure('forbidden', `Token ${token.id} cannot give access to ${beyond ?? 'all components'}`);
}

/** Whether jobs of the token may call the component; the orchestrator itself need not be listed. */
export function mayCall(token: Pick<StorageToken, 'componentAccess'>, component: string): boolean {
  const { componentAccess } = token;
  return componentAccess.length === 0 || component === 'orchestrator' || componentAccess.includes(component);
}
