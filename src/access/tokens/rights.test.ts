import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Failure } from '../../errors.ts';
import {
  checkBinds,
  checkCreates,
  checkManagesTokens,
  checkReplaces,
  checkRight,
  checkTakes,
  mayCall,
  type Right,
} from './rights.ts';
import type { StorageToken } from './types.ts';

const plain: StorageToken = {
  id: 7,
  project: '1',
  kind: 'user',
  userId: 3,
  role: 'editor',
  username: 'kim',
  description: 'kim',
  isMaster: false,
  canManageBuckets: false,
  canManageTokens: false,
  canReadAllFileUploads: false,
  canPurgeTrash: false,
  bucketPermissions: {},
  componentAccess: [],
  created: new Date(0),
  refreshed: null,
  expires: null,
  isExpired: false,
  isDisabled: false,
  creator: null,
  isRestricted: false,
};
const manager: StorageToken = { ...plain, id: 8, canManageTokens: true };
const viewer: StorageToken = { ...plain, role: 'viewer' };
const run: StorageToken = { ...manager, kind: 'run' };
const restricted: StorageToken = { ...run, isRestricted: true };
const other: StorageToken = { ...plain, id: 9 };

const RIGHTS: readonly Right[] = ['verify', 'read', 'start', 'change'];

function isRefused(work: () => void): boolean {
  try {
    work();
    return false;
  } catch (error) {
    assert.equal((error as Failure).kind, 'forbidden');
    return true;
  }
}

function refusedRights(token: StorageToken): readonly Right[] {
  return RIGHTS.filter((right) => isRefused(() => checkRight(token, right)));
}

describe('what a token may do', () => {
  it('everything but changing for a viewer, only naming itself for a restricted run token', () => {
    assert.deepEqual(refusedRights(plain), []);
    assert.deepEqual(refusedRights(run), []);
    assert.deepEqual(refusedRights(viewer), ['change']);
    assert.deepEqual(refusedRights(restricted), ['read', 'start', 'change']);
  });

  it('manages tokens only with that right, and never as a token of a run', () => {
    checkManagesTokens(manager, 'do it');
    assert.throws(() => checkManagesTokens(plain, 'do it'), /Token 7 must have canManageTokens to do it/);
    for (const token of [run, restricted, { ...manager, role: 'viewer' } as const]) {
      assert.ok(isRefused(() => checkManagesTokens(token, 'do it')));
    }
  });

  it('binds itself freely, others only with the right to manage tokens', () => {
    checkBinds(plain, plain);
    checkBinds(run, run);
    checkBinds(manager, other);
    assert.ok(isRefused(() => checkBinds(plain, other)));
    assert.ok(isRefused(() => checkBinds(viewer, viewer)));
    assert.ok(isRefused(() => checkBinds(run, other)));
  });

  it('never makes things act with more than it has', () => {
    for (const more of [
      { ...other, role: 'admin' },
      { ...other, canManageBuckets: true },
      { ...other, canPurgeTrash: true },
    ] as const) {
      assert.ok(isRefused(() => checkBinds(manager, more)));
      assert.ok(isRefused(() => checkTakes(manager, more)));
      assert.ok(isRefused(() => checkReplaces(manager, more, {})));
    }
  });

  it('passes on no components that it cannot call itself', () => {
    const narrow = { ...manager, componentAccess: ['http.call', 'sql.transformation'] };
    checkCreates(narrow, { componentAccess: ['http.call'] });
    checkBinds(narrow, { ...other, componentAccess: ['sql.transformation'] });
    for (const componentAccess of [[], ['http.call', 'shell.run']]) {
      assert.ok(isRefused(() => checkCreates(narrow, { componentAccess })));
      assert.ok(isRefused(() => checkBinds(narrow, { ...other, componentAccess })));
      assert.ok(
        isRefused(() => checkReplaces(narrow, { ...other, componentAccess: ['http.call'] }, { componentAccess })),
      );
    }
    assert.deepEqual(
      ['http.call', 'shell.run', 'orchestrator'].map((component) => mayCall(narrow, component)),
      [true, false, true],
    );
    assert.ok(mayCall(manager, 'shell.run'));
  });

  it('refreshes itself, whoever it is, but for tokens of runs', () => {
    for (const token of [plain, manager, viewer, { ...plain, isMaster: true }]) checkTakes(token, token);
    for (const token of [run, restricted]) assert.ok(isRefused(() => checkTakes(token, token)));
    checkTakes(manager, other);
    assert.ok(isRefused(() => checkTakes(plain, other)));
  });

  it('leaves the master tokens of people alone', () => {
    const master = { ...other, isMaster: true };
    assert.ok(isRefused(() => checkTakes(manager, master)));
    assert.ok(isRefused(() => checkReplaces(manager, master, {})));
    assert.ok(isRefused(() => checkReplaces(master, master, {})));
    checkReplaces(manager, other, { componentAccess: ['http.call'] });
  });
});
