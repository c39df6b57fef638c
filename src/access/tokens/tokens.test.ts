import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createTestStore } from '../../../test/support/database.ts';
import { readConfig, type Config } from '../../config.ts';
import type { Failure } from '../../errors.ts';
import type { Store } from '../../store/index.ts';
import { createWorld } from '../../world.ts';
import { createAccess, type OpenAccess, type Principal, type Role, type StorageToken } from '../index.ts';

const world = createWorld();
const bootstrap = 'the bootstrap token of a test';
let folder: string;
let config: Config;
let store: Store;
let closeStore: () => Promise<void>;
let access: OpenAccess;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-tokens-'));
  config = readConfig({
    PENSTOCK_DATA_DIR: folder,
    PENSTOCK_STORAGE_TOKEN: bootstrap,
    PENSTOCK_ADMIN_PASSWORD: 'pass word',
    PENSTOCK_PROJECT_ID: '5',
  });
  ({ store, close: closeStore } = await createTestStore());
  access = await createAccess({ store, config, world });
});
after(async () => {
  await closeStore();
  await rm(folder, { recursive: true, force: true });
});

const query = async (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
  (await store.pool.query(text, values)).rows;
const kindOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no failure',
    (failure: Failure) => failure.kind,
  );
const by = (token: StorageToken) => ({ token, actor: { principal: null, face: 'test' } });
const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

let count = 0;
async function newUser(role: Role = 'editor') {
  const username = `user${++count}`;
  const password = 'pass word';
  const user = await access.createUser({ username, email: `${username}@example.com`, password, role });
  const { principal, cookie, token } = await access.signIn({ username, password, address: '10.0.0.1' });
  return { ...user, principal, cookie, apiToken: token };
}

async function newMaster(role?: Role): Promise<StorageToken> {
  return access.tokens.masterOf((await newUser(role)).principal);
}

/** A run as the engine would have it; only what other tables refer to. */
async function newRun(): Promise<string> {
  const id = `run_test_${++count}`;
  await query(
    `insert into run (id, path, project, kind, state, trigger, created_by)
     values ($1, '1', '5', 'orchestration', 'running', 'manual', 'x')`,
    [id],
  );
  return id;
}

describe('master tokens', () => {
  it('are made at the first use, one for each user, however many ask at once', async () => {
    const { principal, email, id } = await newUser();
    const found = await Promise.all(Array.from({ length: 8 }, () => access.tokens.masterOf(principal)));
    assert.equal(new Set(found.map((token) => token.id)).size, 1);
    const { isMaster, canManageTokens, canManageBuckets, description, userId, role, kind, project } = found[0]!;
    assert.deepEqual(
      { isMaster, canManageTokens, canManageBuckets, description, userId, role, kind, project },
      {
        isMaster: true,
        canManageTokens: true,
        canManageBuckets: true,
        description: email,
        userId: id,
        role: 'editor',
        kind: 'user',
        project: '5',
      },
    );
  });

  it('stand for sessions, API tokens and the bootstrap token', async () => {
    const user = await newUser();
    const master = await access.tokens.masterOf(user.principal);
    assert.equal((await access.tokens.identify(user.apiToken))?.id, master.id);
    const lasting = await access.issueToken(user.id, 'ci');
    assert.equal((await access.tokens.identify(lasting))?.id, master.id);
    const first = await access.tokens.identify(bootstrap);
    assert.deepEqual([first?.userId, first?.isMaster, first?.role], [0, true, 'admin']);
    assert.equal((await access.tokens.identify(bootstrap))?.id, first?.id);
  });

  it('follow role and address of their user, and end with it', async () => {
    const { id, principal, apiToken } = await newUser('editor');
    const master = await access.tokens.masterOf(principal);
    const own = await access.tokens.refresh(by(master), master.id);
    await access.updateUser(id, { role: 'viewer', email: 'Moved@example.com' });
    const moved = await access.tokens.identify(own.secret);
    assert.deepEqual(
      [moved?.role, moved?.description, moved?.canManageTokens, moved?.canManageBuckets],
      ['viewer', 'moved@example.com', false, false],
    );
    await access.deleteUser(id);
    assert.equal(await access.tokens.identify(own.secret), undefined);
    assert.equal(await access.tokens.identify(apiToken), undefined);
    assert.equal(await access.tokens.get(master.id), undefined);
    assert.equal((await access.tokens.describe([master.id])).get(master.id)?.isDisabled, true);
  });
});

describe('tokens', () => {
  it('have a text of project, id and forty digits, of which only the hash is kept', async () => {
    const { token, secret } = await access.tokens.create(by(await newMaster()), { description: 'ci' });
    assert.match(secret, new RegExp(`^5-${token.id}-[0-9a-f]{40}$`));
    assert.equal((await access.tokens.identify(secret))?.id, token.id);
    const stored = await query('select t::text as row from storage_token t where id = $1', [token.id]);
    assert.ok(!String(stored[0]!['row']).includes(secret.slice(-40)));
    const [audit] = await query(`select * from audit where subject = $1`, [`token/${token.id}`]);
    assert.deepEqual([audit?.['action'], audit?.['project']], ['create token', '5']);
    assert.ok(!JSON.stringify(audit).includes(secret.slice(-40)));
  });

  it('have the rights that were asked for, and no others', async () => {
    const master = await newMaster();
    const asked = {
      description: 'x',
      canManageBuckets: true,
      bucketPermissions: { 'in.c-main': 'read' },
      componentAccess: ['http.call'],
    };
    const { token } = await access.tokens.create(by(master), asked);
    const { canManageBuckets, canManageTokens, canReadAllFileUploads, canPurgeTrash, isMaster } = token;
    assert.deepEqual(
      [canManageBuckets, canManageTokens, canReadAllFileUploads, canPurgeTrash, isMaster],
      [true, false, false, false, false],
    );
    assert.deepEqual([token.bucketPermissions, token.componentAccess], [{ 'in.c-main': 'read' }, ['http.call']]);
    assert.deepEqual(token.creator, { id: master.id, description: master.description });
  });

  it('made by one that manages no tokens are copies of it', async () => {
    const asked = { description: 'weak', canManageBuckets: true, componentAccess: ['http.call'] };
    const weak = await access.tokens.create(by(await newMaster()), asked);
    const greedy = { description: 'copy', canManageTokens: true, canPurgeTrash: true, componentAccess: ['shell.run'] };
    const { token } = await access.tokens.create(by(weak.token), greedy);
    assert.deepEqual(
      [token.canManageTokens, token.canPurgeTrash, token.canManageBuckets, token.componentAccess, token.description],
      [false, false, true, ['http.call'], 'copy'],
    );
  });

  it('grant no right that their maker lacks, and no component', async () => {
    const asked = { description: 'm', canManageTokens: true, componentAccess: ['http.call'] };
    const { token: narrow } = await access.tokens.create(by(await newMaster()), asked);
    const make = (more: object) => kindOf(access.tokens.create(by(narrow), { description: 'x', ...more }));
    assert.equal(await make({ canPurgeTrash: true }), 'forbidden');
    assert.equal(await make({ componentAccess: ['shell.run'] }), 'forbidden');
    const { token } = await access.tokens.create(by(narrow), { description: 'x' });
    assert.deepEqual(token.componentAccess, ['http.call']);
    assert.equal(await kindOf(access.tokens.update(by(narrow), token.id, { componentAccess: [] })), 'forbidden');
  });

  it('expire by the clock of the database, and no later than their maker', async () => {
    const master = await newMaster();
    const made = await access.tokens.create(by(master), {
      description: 'short',
      canManageTokens: true,
      expiresInSeconds: 60,
    });
    const child = await access.tokens.create(by(made.token), { description: 'longer', expiresInSeconds: 9000 });
    assert.deepEqual(child.token.expires, made.token.expires);
    const life = Number(made.token.expires) - Number(made.token.created);
    assert.equal(life, 60_000);
    await query(`update storage_token set expires_at = now() where id = $1`, [made.token.id]);
    assert.equal(await access.tokens.identify(made.secret), undefined);
    assert.equal((await access.tokens.get(made.token.id))?.isExpired, true);
  });

  it('get a new text by refreshing, and the old one is dead at once', async () => {
    const master = await newMaster();
    const { token, secret } = await access.tokens.create(by(master), { description: 'x' });
    const again = await access.tokens.refresh(by(token), token.id);
    assert.equal(again.token.id, token.id);
    assert.ok(again.token.refreshed instanceof Date);
    assert.equal(await access.tokens.identify(secret), undefined);
    assert.equal((await access.tokens.identify(again.secret))?.id, token.id);
  });

  it('are named in the history after they were deleted, and nowhere else', async () => {
    const master = await newMaster();
    const { token, secret } = await access.tokens.create(by(master), { description: 'gone' });
    await access.tokens.remove(by(master), token.id, async () => {});
    assert.equal(await access.tokens.identify(secret), undefined);
    assert.equal(await access.tokens.get(token.id), undefined);
    assert.ok(!(await access.tokens.list('5')).some(({ id }) => id === token.id));
    const known = await access.tokens.describe([token.id, token.id, 999_999_999, Number.NaN]);
    assert.deepEqual([...known.keys()], [token.id]);
    assert.deepEqual([known.get(token.id)!.description, known.get(token.id)!.isDisabled], ['gone', true]);
    assert.equal(await kindOf(access.tokens.remove(by(master), token.id, async () => {})), 'not_found');
  });

  it('stay when the check before their end refuses', async () => {
    const master = await newMaster();
    const { token, secret } = await access.tokens.create(by(master), { description: 'bound' });
    const refuse = async () => {
      throw new Error('in use');
    };
    await assert.rejects(access.tokens.remove(by(master), token.id, refuse), /in use/);
    assert.equal((await access.tokens.identify(secret))?.id, token.id);
  });

  it('are refused when a field of them is', async () => {
    const master = by(await newMaster());
    for (const wrong of [
      { description: 'x'.repeat(256) },
      { description: 'line\nbreak' },
      { description: '\ud800' },
      { bucketPermissions: { a: 'own' } },
      { bucketPermissions: Object.fromEntries(Array.from({ length: 101 }, (_, index) => [index, 'read'])) },
      { componentAccess: [''] },
      { componentAccess: Array.from({ length: 101 }, String) },
      { expiresInSeconds: 0 },
      { expiresInSeconds: 1.5 },
      { expiresInSeconds: 1e12 },
    ]) {
      const made = access.tokens.create(master, { description: 'x', ...wrong });
      assert.equal(await kindOf(made), 'bad_request', JSON.stringify(wrong).slice(0, 100));
    }
  });

  it('of a text that is too long are not looked for', async () => {
    for (const text of ['', 'x'.repeat(256), '5-1-0000', '\0', '\ud800']) {
      assert.equal(await access.tokens.identify(text), undefined);
    }
  });

  it('are a thousand at most', async () => {
    const master = await newMaster();
    const have = (await access.tokens.list('5')).filter(({ kind }) => kind === 'user').length;
    await query(
      `insert into storage_token (project, kind, user_id, description)
       select '5', 'user', $1, 'many' from generate_series(1, $2::int)`,
      [master.userId, 1000 - have],
    );
    assert.equal(await kindOf(access.tokens.create(by(master), { description: 'one more' })), 'conflict');
    await query(`delete from storage_token where description = 'many'`);
  });

  it('of the bootstrap token have no effect once there is none', async () => {
    const first = (await access.tokens.identify(bootstrap))!;
    const { secret, token } = await access.tokens.create(by(first), { description: 'of the operator' });
    const without = await createAccess({ store, config: { ...config, storageToken: null }, world });
    assert.equal(await without.tokens.identify(secret), undefined);
    assert.equal(await without.tokens.identify(bootstrap), undefined);
    assert.equal((await without.tokens.get(token.id))?.isDisabled, true);
    assert.equal((await access.tokens.identify(secret))?.id, token.id);
  });

  it('are worth nothing in another project', async () => {
    const { secret } = await access.tokens.create(by(await newMaster()), { description: 'x' });
    const elsewhere = await createAccess({ store, config: { ...config, projectId: 6 }, world });
    assert.equal(await elsewhere.tokens.identify(secret), undefined);
  });
});

describe('tokens of orchestrations and runs', () => {
  const forOrchestration = (master: StorageToken) =>
    store.transaction((tx) => access.tokens.createForOrchestration(tx, master, 'Orchestrator Nightly'));
  const mint = (token: StorageToken, runId: string, isRestricted = false) =>
    store.transaction((tx) => access.tokens.mintRun(tx, token.id, { runId, isRestricted }));

  it('an orchestration gets exactly two rights, and the components of its maker', async () => {
    const narrow = { ...(await newMaster()), componentAccess: ['http.call'] };
    const token = await forOrchestration(narrow);
    assert.deepEqual(
      [token.canManageBuckets, token.canReadAllFileUploads, token.canManageTokens, token.canPurgeTrash, token.isMaster],
      [true, true, false, false, false],
    );
    assert.deepEqual(
      [token.kind, token.description, token.componentAccess, token.expires],
      ['orchestration', 'Orchestrator Nightly', ['http.call'], null],
    );
  });

  it('a run token is its bound token, until an hour after the run', async () => {
    const bound = await forOrchestration(await newMaster());
    const runId = await newRun();
    const [free, restricted] = [await mint(bound, runId), await mint(bound, runId, true)];
    assert.match(free, new RegExp(`^5-${bound.id}-[0-9a-f]{40}$`));
    const shown = (await access.tokens.identify(free))!;
    assert.deepEqual(
      [shown.id, shown.description, shown.kind, shown.isRestricted, shown.expires],
      [bound.id, bound.description, 'run', false, null],
    );
    assert.equal((await access.tokens.identify(restricted))?.isRestricted, true);
    await store.transaction((tx) => access.tokens.endRun(tx, runId));
    const { expires } = (await access.tokens.identify(free))!;
    assert.ok(Math.abs(Number(expires) - Date.now() - 3_600_000) < 600_000);
    await store.transaction((tx) => access.tokens.endRun(tx, runId));
    assert.deepEqual((await access.tokens.identify(free))?.expires, expires, 'ending it again gives no new hour');
    await query(`update storage_run_token set expires_at = now()`);
    assert.equal(await access.tokens.identify(free), undefined);
  });

  it('a run token dies with its bound token', async () => {
    const bound = await forOrchestration(await newMaster());
    const runId = await newRun();
    const text = await mint(bound, runId);
    await store.transaction((tx) => access.tokens.revoke(tx, bound.id));
    assert.equal(await access.tokens.identify(text), undefined);
    assert.equal(await kindOf(mint(bound, runId)), 'forbidden');
    await assert.rejects(mint(bound, runId), new RegExp(`Orchestration token ${bound.id} is not valid`));
  });

  it('an orchestration whose user is gone gets no run tokens, and is seen', async () => {
    const user = await newUser();
    const bound = await forOrchestration(await access.tokens.masterOf(user.principal));
    await access.deleteUser(user.id);
    assert.equal(await kindOf(mint(bound, await newRun())), 'forbidden');
    assert.equal((await access.tokens.get(bound.id))?.isDisabled, true);
  });

  it('a run token makes no tokens and takes none', async () => {
    const bound = await newMaster();
    const text = await mint(bound, await newRun());
    const shown = by((await access.tokens.identify(text))!);
    assert.equal(await kindOf(access.tokens.create(shown, { description: 'x' })), 'forbidden');
    assert.equal(await kindOf(access.tokens.refresh(shown, bound.id)), 'forbidden');
  });

  it('run tokens are not listed, and the ended ones are removed', async () => {
    const bound = await forOrchestration(await newMaster());
    const [ended, forgotten, open] = [await newRun(), await newRun(), await newRun()];
    const listed = (await access.tokens.list('5')).length;
    const texts = [await mint(bound, ended), await mint(bound, forgotten), await mint(bound, open)];
    assert.equal((await access.tokens.list('5')).length, listed);
    await query(`update storage_run_token set expires_at = now() - interval '1 second' where run_id = $1`, [ended]);
    // As when an attempt had minted while its run was being ended.
    await query(`update run set state = 'failed', ended_at = now() - interval '2 hours' where id = $1`, [forgotten]);
    await access.purge();
    const left = await query('select token_hash from storage_run_token where token_id = $1', [bound.id]);
    assert.deepEqual(
      left.map((row) => row['token_hash']),
      [sha256(texts[2]!)],
    );
    await query('delete from run where id = $1', [open]);
    assert.equal(await access.tokens.identify(texts[2]!), undefined);
  });
});

describe('storage tokens elsewhere', () => {
  it('sign nobody in at other faces', async () => {
    const { secret } = await access.tokens.create(by(await newMaster()), { description: 'x' });
    assert.equal(await access.authenticate({ cookies: [], tokens: [secret] }), null);
    const principal: Principal | null = await access.authenticate({ cookies: [secret], tokens: [] });
    assert.equal(principal, null);
  });
});
