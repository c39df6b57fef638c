import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { hash } from '@node-rs/argon2';
import { readConfig, type Config } from '../config.ts';
import type { Failure } from '../errors.ts';
import { createTestStore } from '../../test/support/database.ts';
import type { Store } from '../store/index.ts';
import { createWorld } from '../world.ts';
import { createAccess, type OpenAccess } from './index.ts';
import { createPasswords } from './passwords.ts';

const world = createWorld();
let folder: string;
let config: Config;
let store: Store;
let closeStore: () => Promise<void>;
let access: OpenAccess;

const master = 'the master token of a test';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'penstock-access-'));
  config = readConfig({ PENSTOCK_DATA_DIR: folder, PENSTOCK_STORAGE_TOKEN: master });
  ({ store, close: closeStore } = await createTestStore());
  access = await createAccess({ store, config, world });
});
after(async () => {
  await closeStore();
  await rm(folder, { recursive: true, force: true });
});

const kindOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no failure',
    (failure: Failure) => failure.kind,
  );
const signIn = (username: string, password: string, address = '10.0.0.1') =>
  access.signIn({ username, password, address });
const byToken = (...tokens: string[]) => access.authenticate({ cookies: [], tokens });
const byCookie = (...cookies: string[]) => access.authenticate({ cookies, tokens: [] });
const query = async (text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> =>
  (await store.pool.query(text, values)).rows;

let names = 0;
async function newUser(role: 'admin' | 'editor' | 'viewer' = 'editor') {
  const username = `user${++names}`;
  const user = await access.createUser({ username, email: `${username}@example.com`, password: 'pass word', role });
  return { ...user, password: 'pass word' };
}

describe('the first start', () => {
  it('makes an administrator with a password that is shown once', async () => {
    assert.match(access.generatedPassword ?? '', /^[\w-]{16}$/);
    const { principal } = await signIn('admin', access.generatedPassword!);
    assert.deepEqual([principal.username, principal.role], ['admin', 'admin']);
    const again = await createAccess({ store, config, world });
    assert.equal(again.generatedPassword, null);
  });

  it('makes a server key that only its owner can read', async () => {
    const path = join(folder, 'secret.key');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal(Buffer.from(await readFile(path, 'utf8'), 'base64').length, 32);
  });

  it('refuses a machine with another server key, and says what to do', async () => {
    const elsewhere = { ...config, secretKey: Buffer.alloc(32, 7).toString('base64') };
    const opening = createAccess({ store, config: elsewhere, world });
    await assert.rejects(opening, { kind: 'configuration_invalid', advice: /PENSTOCK_SECRET_KEY/ });
  });
});

describe('signing in', () => {
  it('gives a cookie and a token that both name the user', async () => {
    const user = await newUser();
    const { cookie, token, maxAgeSeconds } = await signIn(user.username, user.password);
    assert.equal((await byCookie(cookie))?.userId, user.id);
    assert.equal((await byToken(token))?.userId, user.id);
    assert.equal(maxAgeSeconds, 2_592_000);
    assert.match(token, /^pen_[0-9A-Z]{8}_[\w-]{43}$/);
  });

  it('stores neither the cookie nor the token nor the password', async () => {
    const user = await newUser();
    const { cookie, token } = await signIn(user.username, user.password);
    const stored = JSON.stringify([
      await query('select * from users'),
      await query('select * from sessions'),
      await query(`select id, name, encode(token_hash, 'base64') as hash from tokens`),
    ]);
    for (const secret of [cookie, token, token.slice(13), user.password]) assert.ok(!stored.includes(secret));
    assert.match(stored, /\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  });

  it('fails alike for a wrong user and a wrong password', async () => {
    const user = await newUser();
    const failures = await Promise.all(
      [
        signIn(user.username, 'wrong'),
        signIn('nobody', 'wrong'),
        signIn('no\0body', 'x'),
        signIn('x'.repeat(5000), 'x'),
      ].map((attempt) =>
        attempt.then(
          () => [],
          (failure: Failure) => [failure.kind, failure.message],
        ),
      ),
    );
    for (const failure of failures) assert.deepEqual(failure, ['unauthenticated', 'Invalid credentials']);
  });

  it('takes user names exactly as they were given', async () => {
    const user = await newUser();
    assert.equal(await kindOf(signIn(user.username.toUpperCase(), user.password)), 'unauthenticated');
  });

  it('stops after twenty failures of one address and name, also those made at once by several processes', async () => {
    const user = await newUser();
    const second = await createAccess({ store, config, world });
    const guess = (room: OpenAccess) =>
      kindOf(room.signIn({ username: user.username, password: 'wrong', address: '10.9.9.9' }));
    const kinds = await Promise.all(Array.from({ length: 30 }, (_, index) => guess(index % 2 ? access : second)));
    assert.ok(kinds.filter((kind) => kind === 'unauthenticated').length <= 20, kinds.join());
    for (let left = 25; left > 0; left--) kinds.push(await guess(access));
    assert.equal(kinds.filter((kind) => kind === 'unauthenticated').length, 20);
    assert.equal(await kindOf(signIn(user.username, user.password, '10.9.9.9')), 'too_many_requests');
    assert.equal(await kindOf(signIn(user.username, user.password, '10.9.9.8')), 'no failure');
  });

  it('lets in again once the failures are five minutes old, and forgets them', async () => {
    const user = await newUser();
    for (let left = 21; left > 0; left--) await kindOf(signIn(user.username, 'wrong', '10.7.7.7'));
    assert.equal(await kindOf(signIn(user.username, user.password, '10.7.7.7')), 'too_many_requests');
    await query(`update sign_in_failures set failed_at = failed_at - interval '5 minutes'`);
    assert.equal(await kindOf(signIn(user.username, user.password, '10.7.7.7')), 'no failure');
    assert.deepEqual(await query('select id from sign_in_failures'), []);
  });

  it('renews a hash that was made with weaker parameters', async () => {
    const user = await newUser();
    const weak = await hash('old password', { memoryCost: 8192, timeCost: 1, parallelism: 1 });
    await query('update users set password_hash = $1 where id = $2', [weak, user.id]);
    await signIn(user.username, 'old password');
    const [row] = await query('select password_hash from users where id = $1', [user.id]);
    assert.match(String(row?.['password_hash']), /m=19456,t=2,p=1/);
    await signIn(user.username, 'old password');
  });
});

describe('credentials', () => {
  it('finds the valid one among invalid ones', async () => {
    const user = await newUser();
    const { cookie, token } = await signIn(user.username, user.password);
    const bad = ['authenticated', '', 'pen_', `${token}x`, `${token.slice(0, -1)}!`, 'pen_00000000_' + 'A'.repeat(43)];
    assert.equal(await byToken(...bad), null);
    assert.equal((await byToken(...bad, token))?.userId, user.id);
    assert.equal((await byCookie('old', cookie))?.userId, user.id);
    assert.equal((await access.authenticate({ cookies: ['old'], tokens: ['authenticated', token] }))?.userId, user.id);
  });

  it('refuses a token with the right id and another secret', async () => {
    const user = await newUser();
    const { token } = await signIn(user.username, user.password);
    const other = token.slice(0, 13) + 'A'.repeat(43);
    assert.equal(await byToken(other), null);
  });

  it('end at sign-out, which may be repeated', async () => {
    const user = await newUser();
    const first = await signIn(user.username, user.password);
    const second = await signIn(user.username, user.password);
    await access.signOut(first.cookie);
    await access.signOut(first.cookie);
    assert.equal(await byCookie(first.cookie), null);
    assert.equal(await byToken(first.token), null);
    assert.equal((await byToken(second.token))?.userId, user.id);
  });

  it('slide: a session in use is prolonged, an unused one ends after thirty days and is purged', async () => {
    const user = await newUser();
    const { cookie, token, principal } = await signIn(user.username, user.password);
    const leave = (interval: string) =>
      query(`update sessions set expires_at = now() + interval '${interval}' where id = $1`, [principal.sessionId]);
    await leave('1 day');
    assert.ok(await byToken(token));
    const [row] = await query(`select expires_at > now() + interval '29 days' as long from sessions where id = $1`, [
      principal.sessionId,
    ]);
    assert.equal(row?.['long'], true);
    await leave('-1 second');
    assert.equal(await byCookie(cookie), null);
    assert.equal(await byToken(token), null);
    await access.purge();
    assert.deepEqual(await query('select id from sessions where id = $1', [principal.sessionId]), []);
  });

  it('include the master token of the configuration, as an administrator', async () => {
    assert.deepEqual(await byToken(master), { userId: 0, username: 'storage-token', role: 'admin', sessionId: null });
    assert.equal(await byToken(`${master} `), null);
  });

  it('include tokens without a session, which outlive sign-out and die with their user', async () => {
    const user = await newUser();
    const token = await access.issueToken(user.id, 'ci');
    assert.equal((await byToken(token))?.sessionId, null);
    const { cookie } = await signIn(user.username, user.password);
    await access.signOut(cookie);
    assert.ok(await byToken(token));
    await access.deleteUser(user.id);
    assert.equal(await byToken(token), null);
  });
});

describe('users', () => {
  it('have one name and one e-mail each, also when made at once', async () => {
    const twin = (username: string, email: string) =>
      kindOf(access.createUser({ username, email, password: 'x', role: 'viewer' }));
    const same = await Promise.all([twin('ann', 'a1@x.io'), twin('ann', 'a2@x.io'), twin('ann', 'a3@x.io')]);
    assert.deepEqual(same.toSorted(), ['conflict', 'conflict', 'no failure']);
    assert.equal(await twin('bea', 'SAME@x.io'), 'no failure');
    assert.equal(await twin('bob', 'same@X.io'), 'conflict');
    assert.equal(await twin('Ann', 'ann@x.io'), 'no failure');
    const other = await newUser();
    assert.equal(await kindOf(access.updateUser(other.id, { username: 'ann' })), 'conflict');
  });

  it('are refused with the name of the wrong field', async () => {
    const good = { username: 'carl', email: 'carl@x.io', password: 'x' };
    const wrong: [object, string][] = [
      [{ username: '' }, 'username'],
      [{ username: ' carl' }, 'username'],
      [{ username: 'ca\0rl' }, 'username'],
      [{ username: 'c'.repeat(101) }, 'username'],
      [{ username: 'storage-token' }, 'username'],
      [{ email: 'carl' }, 'email'],
      [{ email: 'c arl@x.io' }, 'email'],
      [{ password: '' }, 'password'],
    ];
    for (const [change, field] of wrong) {
      const attempt = access.signUp({ ...good, ...change });
      await assert.rejects(attempt, (failure: Failure) => failure.details[0]?.field === field, JSON.stringify(change));
    }
  });

  it('sign up as editors, unless sign-up is closed', async () => {
    const user = await access.signUp({ username: 'dora', email: 'Dora@x.io', password: 'x' });
    assert.deepEqual(
      [user.role, user.email, Object.keys(user).includes('passwordHash')],
      ['editor', 'dora@x.io', false],
    );
    const closed = await createAccess({ store, config: { ...config, authSignup: 'closed' }, world });
    assert.equal(await kindOf(closed.signUp({ username: 'e', email: 'e@x.io', password: 'x' })), 'forbidden');
  });

  it('are listed by id in pages with the total', async () => {
    const all = await access.listUsers({ offset: 0 });
    const page = await access.listUsers({ limit: 2, offset: 1 });
    assert.deepEqual(page.users, all.users.slice(1, 3));
    assert.equal(page.total, all.users.length);
  });

  it('lose their sessions with a new password, and keep them through other changes', async () => {
    const user = await newUser();
    const { cookie } = await signIn(user.username, user.password);
    await access.updateUser(user.id, { email: 'moved@x.io', role: 'viewer' });
    assert.equal((await byCookie(cookie))?.role, 'viewer');
    await access.updateUser(user.id, { password: 'another' });
    assert.equal(await byCookie(cookie), null);
    assert.equal(await kindOf(signIn(user.username, user.password)), 'unauthenticated');
    await signIn(user.username, 'another');
  });

  it('never leave the server without an administrator, even when two are removed at once', async () => {
    const second = await newUser('admin');
    const { users } = await access.listUsers({ offset: 0 });
    const first = users.find((user) => user.username === 'admin')!;
    const kinds = await Promise.all([
      kindOf(access.deleteUser(second.id)),
      kindOf(access.updateUser(first.id, { role: 'viewer' })),
    ]);
    assert.deepEqual(kinds.toSorted(), ['conflict', 'no failure']);
    const admins = (await access.listUsers({ offset: 0 })).users.filter((user) => user.role === 'admin');
    assert.equal(admins.length, 1);
    assert.equal(await kindOf(access.deleteUser(admins[0]!.id)), 'conflict');
    assert.equal(await kindOf(access.updateUser(admins[0]!.id, { role: 'editor' })), 'conflict');
    assert.equal(await kindOf(access.updateUser(admins[0]!.id, { role: 'admin' })), 'no failure');
  });

  it('that do not exist are not found', async () => {
    for (const id of [999_999, -1, 2 ** 60, Number.NaN]) {
      assert.equal(await kindOf(access.deleteUser(id)), 'not_found');
      assert.equal(await kindOf(access.updateUser(id, {})), 'not_found');
    }
  });
});

describe('what one caller may take', () => {
  it('is two hundred sessions of a user, the newest', async () => {
    const user = await newUser();
    await query(
      `insert into sessions (id, user_id, expires_at, created_at)
       select 'old' || n, $1, now() + interval '1 day', now() - interval '1 hour' from generate_series(1, 300) n`,
      [user.id],
    );
    const { cookie } = await signIn(user.username, user.password);
    const [row] = await query('select count(*) as total from sessions where user_id = $1', [user.id]);
    assert.equal(row!['total'], 200);
    assert.equal((await byCookie(cookie))?.username, user.username);
  });

  it('is a bounded number of places in the queue for a password to be checked', async () => {
    const passwords = createPasswords(world);
    const checks = Array.from({ length: 300 }, () => kindOf(passwords.verify(undefined, 'x')));
    const kinds = await Promise.all(checks);
    assert.ok(kinds.includes('too_many_requests'));
    assert.ok(kinds.includes('no failure'));
    assert.equal(await kindOf(passwords.verify(undefined, 'x')), 'no failure');
  });
});

describe('the audit', () => {
  it('tells of every change to the users, and of none that failed', async () => {
    await query('delete from audit');
    const by = { principal: null, face: 'olake', requestId: 'r' };
    const fresh = { username: 'noted', email: 'noted@example.com', password: 'pass word', role: 'viewer' } as const;
    const { id } = await access.createUser(fresh, by);
    assert.equal(await kindOf(access.createUser(fresh, by)), 'conflict');
    await access.updateUser(id, { role: 'editor' }, by);
    await access.deleteUser(id, by);
    const rows = await query('select action, subject from audit order by id');
    const subject = `user/${id}`;
    const actions = ['create user', 'update user', 'delete user'];
    assert.deepEqual(
      rows,
      actions.map((action) => ({ action, subject })),
    );
    await query('delete from audit');
  });

  it('is written in the transaction of what it tells of', async () => {
    const { principal } = await signIn(...(await newUser().then((user) => [user.username, user.password] as const)));
    const entry = {
      principal,
      face: 'olake',
      action: 'create source',
      project: 'p',
      subject: 'source/1',
      requestId: 'r',
    };
    await store.transaction((tx) => access.audit(tx, entry));
    await store
      .transaction(async (tx) => {
        await access.audit(tx, { ...entry, subject: 'source/2' });
        throw new Error('undone');
      })
      .catch(() => undefined);
    await access.audit(store.db, { principal: null, face: 'olake', action: 'sign up', subject: 'user/9' });
    const rows = await query('select username, action, project, subject, request_id from audit order by id');
    assert.deepEqual(rows, [
      { username: principal.username, action: 'create source', project: 'p', subject: 'source/1', request_id: 'r' },
      { username: '', action: 'sign up', project: null, subject: 'user/9', request_id: null },
    ]);
  });

  it('keeps its newest hundred thousand entries', async () => {
    await query(`insert into audit (username, face, action, subject)
      select 'u', 'f', 'a', n::text from generate_series(1, 100010) n`);
    await access.purge();
    const [row] = await query('select count(*) as total, min(subject::int) as oldest from audit');
    assert.deepEqual(row, { total: 100_000, oldest: 11 });
  });
});
