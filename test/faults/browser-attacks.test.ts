import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ADMIN, startRig, type Rig } from '../conformance/olake/rig.ts';
import { send, signIn, type Reply } from '../conformance/olake/wire.ts';

let rig: Rig;
let session: Record<string, string>;
let token: string;

before(async () => {
  rig = await startRig();
  session = await signIn(rig.url, ADMIN);
  const answer = await login({});
  token = (answer.body as { data: { token: string } }).data.token;
});
after(() => rig?.close());

function login(headers: Record<string, string>): Promise<Reply> {
  return send(rig.url, { method: 'POST', path: '/login', headers, text: JSON.stringify(ADMIN) });
}

const STREAMS = '/api/v1/project/p/sources/streams?type=postgres&config=%7B%22host%22:%22evil.example%22%7D';
const CANCEL = '/api/v1/project/p/jobs/999999/cancel';
const CROSS: readonly Record<string, string>[] = [
  { 'sec-fetch-site': 'cross-site' },
  { origin: 'http://evil.example' },
];

describe('a page of another site', () => {
  it('cannot sign its visitor in, up or out, whatever content type it sends', async () => {
    const signs: Record<string, string>[] = [
      { origin: 'http://evil.example' },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
    ];
    for (const sign of signs) {
      const headers = { ...sign, 'content-type': 'text/plain' };
      const entered = await login(headers);
      assert.equal(entered.status, 403, JSON.stringify(sign));
      assert.equal(entered.headers['set-cookie'], undefined);
      const user = JSON.stringify({ username: 'eve', email: 'eve@evil.example', password: 'p' });
      assert.equal((await send(rig.url, { method: 'POST', path: '/signup', headers, text: user })).status, 403);
      assert.equal((await send(rig.url, { method: 'POST', path: '/logout', headers })).status, 403);
    }
    const { rows } = await rig.store.pool.query(`select 1 from users where username = 'eve'`);
    assert.equal(rows.length, 0);
  });

  it('cannot make a visitor open a connection or cancel a sync by a mere link', async () => {
    for (const path of [STREAMS, CANCEL]) {
      for (const sign of CROSS) {
        assert.equal(
          (await send(rig.url, { method: 'GET', path, headers: { ...session, ...sign } })).status,
          403,
          path,
        );
      }
      const direct = await send(rig.url, { method: 'GET', path, headers: { ...session, 'sec-fetch-site': 'none' } });
      assert.ok([200, 404].includes(direct.status), `${path} ${direct.text}`);
      const byToken = { authorization: `Bearer ${token}`, origin: 'http://elsewhere.example' };
      assert.ok([200, 404].includes((await send(rig.url, { method: 'GET', path, headers: byToken })).status), path);
    }
  });

  it('gains nothing by making its own name lead to this machine', async () => {
    const { port } = new URL(rig.url);
    const rebound = { host: `evil.example:${port}`, origin: `http://evil.example:${port}` };
    assert.equal((await login(rebound)).status, 403);
    const path = '/api/v1/project/p/settings';
    const text = JSON.stringify({ project_id: 'p', webhook_alert_url: '' });
    assert.equal((await send(rig.url, { method: 'PUT', path, headers: { ...session, ...rebound }, text })).status, 403);
    assert.equal((await send(rig.url, { method: 'GET', path: '/metrics', headers: rebound })).status, 401);
    assert.equal((await send(rig.url, { method: 'GET', path: '/metrics' })).status, 200);
    assert.equal((await login({ host: `localhost:${port}`, origin: `http://localhost:${port}` })).status, 200);
  });
});

describe('a caller without credentials', () => {
  it('cannot make the server read a large body', async () => {
    const text = JSON.stringify({ username: 'x', password: 'y'.repeat(100_000) });
    for (const chunked of [false, true]) {
      assert.equal((await send(rig.url, { method: 'POST', path: '/login', text, chunked })).status, 413);
    }
  });

  it('costs a bounded number of questions to the database, however many cookies it shows', async () => {
    const { pool } = rig.store;
    const original = pool.query;
    let asked = 0;
    pool.query = function counted(this: typeof pool, ...given: Parameters<typeof pool.query>) {
      asked++;
      return original.apply(this, given);
    } as typeof pool.query;
    try {
      const cookie = Array.from({ length: 1000 }, (_, at) => `olake-session=${at}`).join('; ');
      assert.equal((await send(rig.url, { method: 'GET', path: '/auth', headers: { cookie } })).status, 401);
    } finally {
      pool.query = original;
    }
    assert.ok(asked <= 10, `${asked} statements`);
  });
});

it('a browser learns that its session was prolonged, once an hour and not at each request', async () => {
  const auth = () => send(rig.url, { method: 'GET', path: '/auth', headers: session });
  assert.equal((await auth()).headers['set-cookie'], undefined);
  await rig.store.pool.query(`update sessions set expires_at = now() + interval '3 days'`);
  const told = String((await auth()).headers['set-cookie']);
  assert.ok(told.startsWith(`${session['cookie']}; `), told);
  assert.match(told, /Max-Age=2592000; HttpOnly; SameSite=Lax/);
  assert.equal((await auth()).headers['set-cookie'], undefined);
});
