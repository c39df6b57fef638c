import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Role } from '../../../src/access/index.ts';
import { SESSION_COOKIE } from '../../../src/http/index.ts';
import { startRig, type Asking, type Rig } from './rig.ts';

const VERIFY = '/v2/storage/tokens/verify';
let rig: Rig;
let orchestration: number;

before(async () => {
  rig = await startRig({ works: false });
  const made = await rig.ask('POST', '/orchestrations', { body: { name: 'A', tasks: [{ component: 'http.call' }] } });
  assert.equal(made.status, 201, made.text);
  orchestration = (made.body as { id: number }).id;
});
after(() => rig?.close());

let count = 0;
async function signedIn(role: Role = 'editor') {
  const user = { username: `user${++count}`, password: 'pass', email: `user${count}@tern.example`, role };
  const { id } = await rig.access.createUser(user);
  const { cookie, token } = await rig.access.signIn({ ...user, address: '10.0.0.1' });
  return { id, cookie: `${SESSION_COOKIE}=${cookie}`, token };
}

/** The status of a request with this token, or with other headers. */
async function statusOf(method: string, path: string, asking: Asking = {}): Promise<number> {
  return (await rig.ask(method, path, asking)).status;
}

/** A run token of an orchestration's token, as components get it. */
async function runToken(isRestricted: boolean): Promise<{ text: string; runId: string; tokenId: number }> {
  const run = `run_test_${++count}`;
  await rig.store.pool.query(
    `insert into run (id, path, project, kind, state, trigger, created_by)
     values ($1, '1', '1', 'orchestration', 'running', 'manual', 'x')`,
    [run],
  );
  const { body } = await rig.ask('GET', `/orchestrations/${orchestration}`);
  const tokenId = (body as { token: { id: number } }).token.id;
  const text = await rig.store.transaction((tx) =>
    rig.access.tokens.mintRun(tx, tokenId, { runId: run, isRestricted }),
  );
  return { text, runId: run, tokenId };
}

/** What a refused call must leave as it was. */
async function fingerprint(): Promise<string> {
  const { rows } = await rig.store.pool.query<{ all: string }>(`select json_build_array(
    (select json_agg(o order by id) from orchestration o), (select json_agg(t order by id) from storage_token t),
    (select count(*) from run), (select count(*) from audit))::text as all`);
  return rows[0]!.all;
}

describe('a session', () => {
  it('acts as the master token of its user', async () => {
    const { cookie } = await signedIn();
    const reply = await rig.ask('GET', VERIFY, { token: null, headers: { cookie } });
    const { isMasterToken, description, token } = reply.body as Record<string, unknown>;
    assert.deepEqual([reply.status, isMasterToken, description, token], [200, true, `user${count}@tern.example`, null]);
    const made = await rig.ask('POST', '/orchestrations', { token: null, headers: { cookie }, body: { name: 'mine' } });
    assert.equal(made.status, 201, made.text);
  });

  it('is not lent to pages of other sites: nothing is changed', async () => {
    const { cookie } = await signedIn();
    await rig.ask('GET', VERIFY, { token: null, headers: { cookie } });
    const untouched = await fingerprint();
    const foreign: readonly Record<string, string>[] = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { origin: `http://localhost.evil.example:${new URL(rig.url).port}` },
    ];
    for (const headers of foreign) {
      for (const [method, path] of [
        ['POST', '/orchestrations'],
        ['POST', '/run'],
        ['PUT', `/orchestrations/${orchestration}`],
        ['DELETE', `/orchestrations/${orchestration}`],
        ['POST', '/v2/storage/tokens'],
      ] as const) {
        const text = JSON.stringify({ name: 'stolen', config: orchestration });
        const asking = { token: null, text, headers: { 'content-type': 'text/plain', cookie, ...headers } };
        assert.equal(await statusOf(method, path, asking), 403, `${method} ${path} ${JSON.stringify(headers)}`);
      }
    }
    assert.equal(await fingerprint(), untouched);
    const own = { token: null, headers: { cookie, origin: rig.url } };
    assert.equal(await statusOf('POST', '/orchestrations', { ...own, body: { name: 'own page' } }), 201);
  });

  it('is not asked about where a token is sent: pages of any site may use one of their own', async () => {
    const { token } = await signedIn();
    const headers = { origin: 'https://any.example', 'sec-fetch-site': 'cross-site' };
    assert.equal(await statusOf('POST', '/orchestrations', { token, headers, body: { name: 'A' } }), 201);
  });

  it('does not help where the token that is sent is wrong', async () => {
    const { cookie } = await signedIn();
    assert.equal(await statusOf('GET', VERIFY, { token: 'wrong', headers: { cookie } }), 401);
    assert.equal(await statusOf('GET', VERIFY, { token: null, headers: { cookie: `${SESSION_COOKIE}=wrong` } }), 401);
  });

  it('that has ended has no rights left', async () => {
    const { cookie, token } = await signedIn();
    await rig.access.signOut(cookie.slice(SESSION_COOKIE.length + 1));
    assert.equal(await statusOf('GET', VERIFY, { token: null, headers: { cookie } }), 401);
    assert.equal(await statusOf('GET', VERIFY, { token }), 401);
  });
});

describe('without a credential', () => {
  it('nothing is answered on this machine either', async () => {
    for (const [method, path] of [
      ['GET', '/orchestrations'],
      ['GET', `/orchestrations/${orchestration}`],
      ['POST', '/run'],
      ['GET', '/queue/jobs'],
      ['GET', '/components'],
      ['POST', '/docker/http.call/run'],
      ['GET', '/v2/storage/tokens'],
    ] as const) {
      for (const prefix of path.startsWith('/v2') ? [''] : ['', '/orchestrator']) {
        assert.equal(await statusOf(method, prefix + path, { token: null }), 401, prefix + path);
      }
    }
  });
});

describe('a token of a run', () => {
  it('reads and starts as its bound token', async () => {
    const { text, tokenId } = await runToken(false);
    const verified = await rig.ask('GET', VERIFY, { token: text });
    assert.equal((verified.body as { id: string }).id, String(tokenId));
    assert.equal(await statusOf('GET', '/orchestrations', { token: text }), 200);
    const run = await rig.ask('POST', '/run', { token: text, body: { config: orchestration } });
    assert.equal(run.status, 202, run.text);
    assert.equal((run.body as { initiatorToken: { id: number } }).initiatorToken.id, tokenId);
  });

  it('makes and takes nothing that outlives it', async () => {
    const { text, tokenId } = await runToken(false);
    const refused = async (method: string, path: string) =>
      assert.equal(await statusOf(method, path, { token: text, body: {} }), 403, `${method} ${path}`);
    await refused('POST', '/v2/storage/tokens');
    await refused('POST', `/v2/storage/tokens/${tokenId}/refresh`);
    await refused('DELETE', `/v2/storage/tokens/${tokenId}`);
  });

  it('that went to a host that is not trusted can only verify itself', async () => {
    const { text } = await runToken(true);
    assert.equal(await statusOf('GET', VERIFY, { token: text }), 200);
    for (const [method, path] of [
      ['GET', '/orchestrations'],
      ['GET', '/jobs/1'],
      ['GET', '/queue/jobs'],
      ['GET', '/components'],
      ['GET', '/v2/storage/tokens'],
      ['POST', '/run'],
      ['POST', '/components/http.call/run'],
      ['PUT', `/orchestrations/${orchestration}`],
      ['POST', '/v2/storage/tokens'],
    ] as const) {
      const reply = await rig.ask(method, path, { token: text, body: { config: orchestration } });
      assert.equal(reply.status, 403, `${method} ${path} ${reply.text}`);
    }
  });

  it('ends an hour after its run, by the clock of the database', async () => {
    const { text, runId } = await runToken(false);
    await rig.store.transaction((tx) => rig.access.tokens.endRun(tx, runId));
    const { body } = await rig.ask('GET', VERIFY, { token: text });
    assert.match((body as { expires: string }).expires, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000$/);
    await rig.store.pool.query(`update storage_run_token set expires_at = now() where run_id = $1`, [runId]);
    assert.equal(await statusOf('GET', VERIFY, { token: text }), 401);
  });
});

describe('a token', () => {
  it('that is expired, revoked, changed by a letter or of another sort is worth nothing', async () => {
    const { text, token } = await rig.newToken();
    assert.equal(await statusOf('GET', VERIFY, { token: text }), 200);
    const last = text.at(-1) === '0' ? '1' : '0';
    for (const wrong of [
      text.slice(0, -1),
      text.slice(0, -1) + last,
      text.toUpperCase(),
      `${text}0`,
      text.replace(/^1-/, '2-'),
      text.replace(/-.*-/, '-1-'),
      'pen_00000000_0000000000000000000000000000000000000000000',
      "' or '1'='1",
      '\u00e9',
    ]) {
      if (wrong !== text) assert.equal(await statusOf('GET', VERIFY, { token: wrong }), 401, wrong);
    }
    await rig.store.pool.query('update storage_token set expires_at = now() where id = $1', [token.id]);
    assert.equal(await statusOf('GET', VERIFY, { token: text }), 401);
    const other = await rig.newToken();
    await rig.store.transaction((tx) => rig.access.tokens.revoke(tx, other.token.id));
    assert.equal(await statusOf('GET', VERIFY, { token: other.text }), 401);
  });

  it('is stored nowhere: not in tables, not in the audit', async () => {
    const { text } = await rig.newToken();
    const { text: run } = await runToken(false);
    for (const table of ['storage_token', 'storage_run_token', 'audit']) {
      const { rows } = await rig.store.pool.query<{ row: string }>(`select t::text as row from ${table} t`);
      for (const { row } of rows) for (const secret of [text, run]) assert.ok(!row.includes(secret.slice(-40)), table);
    }
  });

  it('of an editor takes none of an administrator, nor binds it', async () => {
    const { token: editor } = await signedIn('editor');
    const strong = await rig.newToken();
    const id = strong.token.id;
    for (const [method, path, body] of [
      ['POST', `/v2/storage/tokens/${id}/refresh`, {}],
      ['PUT', `/v2/storage/tokens/${id}`, { description: 'mine' }],
      ['DELETE', `/v2/storage/tokens/${id}`, {}],
      ['POST', '/orchestrations', { name: 'A', tokenId: id }],
    ] as const) {
      assert.equal(await statusOf(method, path, { token: editor, body }), 403, `${method} ${path}`);
    }
    assert.equal(await statusOf('GET', VERIFY, { token: strong.text }), 200);
  });

  it('dies with its user', async () => {
    const { id, token } = await signedIn();
    const made = await rig.ask('POST', '/v2/storage/tokens', { token, body: { description: 'left behind' } });
    const { token: text } = made.body as { token: string };
    assert.equal(await statusOf('GET', VERIFY, { token: text }), 200);
    await rig.access.deleteUser(id);
    assert.equal(await statusOf('GET', VERIFY, { token: text }), 401);
  });
});
