import { Failure } from '../../errors.ts';
import type { Role } from '../people.ts';
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
  checkIsNoRun(token, toDo);
  if (token.canManageTokens) return;
  throw new Failure('forbidden', `Token ${token.id} must have canManageTokens to ${toDo}`);
}

/** What was sent to a component for one run must not become, or make, something that lasts. */
function checkIsNoRun(token: StorageToken, toDo: string): void {
  if (token.kind === 'run') throw new Failure('forbidden', `A token of a run cannot ${toDo}`);
}

/** Before a token is made: it must not have more than its maker. */
export function checkCreates(by: StorageToken, grant: Grant): void {
  checkRight(by, 'change');
  checkIsNoRun(by, 'make tokens');
  checkGrants(by, grant);
}

/** Before a token is changed or deleted. */
export function checkReplaces(by: StorageToken, token: StorageToken, change: Grant): void {
  checkManagesTokens(by, `change token ${token.id}`);
  checkIsNoMaster(token);
  checkWithin(by, token);
  checkGrants(by, change);
}

/** Before somebody gets a new text of a token: everybody of the own, who manages tokens of others. */
export function checkTakes(by: StorageToken, token: StorageToken): void {
  checkRight(by, 'read');
  checkIsNoRun(by, 'refresh tokens');
  if (by.id === token.id) return;
  checkManagesTokens(by, `refresh token ${token.id}`);
  checkIsNoMaster(token);
  checkWithin(by, token);
}

function checkIsNoMaster({ id, isMaster }: StorageToken): void {
  if (isMaster) throw new Failure('forbidden', `Token ${id} is the master token of a user: it stays as it is`);
}

/**
 * Before things are made to act as a token: everybody may use the own, who manages tokens also others that are not
 * beyond it.
 */
export function checkBinds(token: StorageToken, other: StorageToken): void {
  if (other.id === token.id) return checkRight(token, 'change');
  checkManagesTokens(token, `act with token ${other.id}`);
  checkWithin(token, other);
}

/**
 * Before somebody says which components are called with a token: who is limited to some cannot reach others by a token
 * that is not. Everything else that changes an orchestration is open to all who may change.
 */
export function checkDirects(token: StorageToken, other: Pick<StorageToken, 'id' | 'componentAccess'>): void {
  if (other.id !== token.id) checkGrants(token, { componentAccess: other.componentAccess });
}

/** Fails with `forbidden` when the other token can do what this one cannot. */
function checkWithin(token: StorageToken, other: StorageToken): void {
  if (RANKS[other.role] > RANKS[token.role]) {
    throw new Failure('forbidden', `Token ${other.id} belongs to a user with the role ${other.role}`);
  }
  checkGrants(token, other);
}

const FLAGS = ['canManageBuckets', 'canManageTokens', 'canReadAllFileUploads', 'canPurgeTrash'] as const;

type Grant = Partial<Pick<StorageToken, (typeof FLAGS)[number] | 'componentAccess'>>;

/** What one token passes on to another it has itself. */
export function rightsOf(token: StorageToken) {
  const { canManageBuckets, canManageTokens, canReadAllFileUploads, canPurgeTrash } = token;
  const { bucketPermissions, componentAccess } = token;
  const flags = { canManageBuckets, canManageTokens, canReadAllFileUploads, canPurgeTrash };
  return { ...flags, bucketPermissions, componentAccess };
}

function checkGrants(token: StorageToken, grant: Grant): void {
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
