import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { ADMIN, startRig, type Rig } from './rig.ts';
import { knownRoutes, pathIn, type KnownRoute } from './routes.ts';
import { send, signIn, type Reply } from './wire.ts';

const LIMIT = 100_000;
let rig: Rig;
let headers: Record<string, string>;
let nothing: string;

before(async () => {
  rig = await startRig({ maxBodyBytes: LIMIT });
  headers = await signIn(rig.url, ADMIN);
  nothing = await everything();
});

after(async () => {
  try {
    assert.equal(await everything(), nothing, 'bad input changed nothing');
  } finally {
    await rig.close();
  }
});

/** Everything that a refused write could have left behind. */
async function everything(): Promise<string> {
  const count = async (table: string): Promise<string> => {
    const { rows } = await rig.store.pool.query<{ count: string }>(`select count(*) from ${table}`);
    return `${table} ${rows[0]!.count}`;
  };
  return (await Promise.all(['connection', 'job', 'project_settings', 'users', 'run'].map(count))).join(', ');
}

const bodyRoutes = knownRoutes.filter((route) => route.body !== undefined);
const writes = bodyRoutes.filter((route) => route.method !== 'GET');

function call(route: KnownRoute, text: string | Buffer, path = pathIn(route, 'bad')): Promise<Reply> {
  return send(rig.url, { method: route.method, path, headers, text });
}

function refused(reply: Reply, where: string, statuses: readonly number[] = [400]): void {
  assert.ok(statuses.includes(reply.status), `${where}: ${reply.status} ${reply.text.slice(0, 300)}`);
  const { success, message, ...rest } = reply.body as Record<string, unknown>;
  assert.equal(success, false, where);
  assert.equal(typeof message, 'string', where);
  if (reply.status === 400) assert.match(String(message), /^Bad request: ./, where);
  assert.ok(!Object.hasOwn(rest, 'data'), where);
  assert.doesNotMatch(reply.text, /at .*\.ts:\d+|node_modules/, where);
}

describe('every route with a body refuses', () => {
  const broken: Record<string, string | Buffer> = {
    'broken JSON': '{"name":',
    'an array': '[]',
    null: 'null',
    'a number': '7',
    'a string': '"x"',
    'text that is no UTF-8': Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
    'endless nesting': `{"a":${'['.repeat(30_000)}${']'.repeat(30_000)}}`,
  };
  for (const [what, text] of Object.entries(broken)) {
    it(what, async () => {
      for (const route of bodyRoutes) refused(await call(route, text), `${route.method} ${route.path}`);
    });
  }
  it('an empty body, where fields are needed', async () => {
    const optional = /\/(task|tasks)\//;
    for (const route of writes.filter(({ path }) => !optional.test(path) && path !== '/api/v1/users/:id')) {
      refused(await call(route, ''), `${route.method} ${route.path}`);
    }
  });
  it('a body above the limit, announced or not, with an answer that can be read', async () => {
    const text = JSON.stringify({ pad: 'x'.repeat(LIMIT) });
    for (const route of bodyRoutes) {
      for (const chunked of [false, true]) {
        const path = pathIn(route, 'bad');
        const reply = await send(rig.url, { method: route.method, path, headers, text, chunked });
        refused(reply, `${route.method} ${route.path} chunked ${chunked}`, [413]);
        assert.equal((reply.body as { message: string }).message, 'Request body too large');
      }
    }
  });
  it('each field when it is missing or of another type', async () => {
    const tolerant = new Set(['file_path', 'role']);
    for (const route of bodyRoutes) {
      for (const field of Object.keys(route.body!)) {
        const where = `${route.method} ${route.path} ${field}`;
        if (tolerant.has(field)) continue;
        for (const wrong of [7, true, null, '', []]) {
          const isFine = (wrong === '' && field === 'webhook_alert_url') || (wrong === true && field === 'activate');
          const isDraft = Array.isArray(wrong) && field.endsWith('streams_config');
          if (isFine || isDraft) continue;
          const reply = await call(route, JSON.stringify({ ...route.body, [field]: wrong }).replace('":p"', '"bad"'));
          const statuses = route.path === '/login' ? [400, 401] : [400];
          refused(reply, `${where} = ${JSON.stringify(wrong)}`, statuses);
        }
        if (field === 'webhook_alert_url') continue;
        const { [field]: _, ...rest } = route.body!;
        refused(await call(route, JSON.stringify(rest)), `${where} missing`);
      }
    }
  });
});

describe('hostile text', () => {
  const bodies = (text: string): string[] => [
    `{"name":${text},"type":"postgres","version":"v1","config":{}}`,
    `{"name":"n","type":${text},"version":"v1","config":{}}`,
    `{"name":"n","type":"postgres","version":${text},"config":{}}`,
    `{"name":"n","type":"postgres","version":"v1","config":{"host":${text}}}`,
  ];
  it('with NUL is refused wherever it stands', async () => {
    for (const route of bodyRoutes) {
      const text = JSON.stringify({ ...route.body, deep: { 'k\0': ['x\0'] } });
      refused(await call(route, text), `${route.method} ${route.path}`);
    }
    const path = '/api/v1/project/bad/sources';
    for (const text of bodies(String.raw`"a\u0000b"`)) {
      refused(await send(rig.url, { method: 'POST', path, headers, text }), text);
    }
    const inside = JSON.stringify({
      name: 'n',
      type: 'postgres',
      version: 'v1',
      config: String.raw`{"host":"a\u0000b"}`,
    });
    refused(await send(rig.url, { method: 'POST', path, headers, text: inside }), 'inside a string');
    for (const query of ['limit=%00', 'form=%00']) {
      refused(await send(rig.url, { method: 'GET', path: `${path}?${query}`, headers }), query);
    }
    refused(await send(rig.url, { method: 'GET', path: '/api/v1/project/a%00b/sources', headers }), 'project');
  });
  it('with half a surrogate pair, or too long, is refused', async () => {
    const path = '/api/v1/project/bad/sources';
    for (const text of [...bodies(String.raw`"a\ud800b"`), ...bodies(`"${'x'.repeat(5000)}"`).slice(0, 3)]) {
      refused(await send(rig.url, { method: 'POST', path, headers, text }), text.slice(0, 80));
    }
  });
  it('in paths and headers never becomes a defect of ours', async () => {
    const odd = [
      '%ff',
      '%E0%A4%A',
      '..%2f..%2fetc',
      "'%20or%201=1--",
      '%22',
      'x'.repeat(3000),
      '__proto__',
      'constructor',
    ];
    for (const route of knownRoutes.filter(({ path }) => path.includes(':id'))) {
      for (const id of odd) {
        const text = route.body && JSON.stringify(route.body);
        const path = pathIn(route, 'bad', id);
        const reply = await send(rig.url, { method: route.method, path, headers, ...(text && { text }) });
        refused(reply, `${route.method} ${path.slice(0, 120)}`, [400, 404]);
      }
    }
    for (const id of odd) {
      const reply = await send(rig.url, { method: 'GET', path: `/api/v1/project/${id}/sources`, headers });
      if (id !== 'constructor') refused(reply, id.slice(0, 60), [400, 404]);
      assert.ok(reply.status < 500);
    }
    const credentials = {
      authorization: 'Bearer \x01',
      cookie: 'olake-session=;;=; olake-session',
      'auth-token': 'x'.repeat(5000),
    };
    for (const [name, value] of Object.entries(credentials)) {
      if (value.includes('\x01')) continue;
      refused(await send(rig.url, { method: 'GET', path: '/auth', headers: { [name]: value } }), name, [401]);
    }
  });
  it('as prototype keys is ignored', async () => {
    const text =
      '{"__proto__":{"name":"x"},"constructor":{"prototype":{"type":"postgres"}},"version":"v1","config":{}}';
    refused(await send(rig.url, { method: 'POST', path: '/api/v1/project/bad/sources', headers, text }), 'prototype');
    assert.equal(({} as Record<string, unknown>)['name'], undefined);
  });
});

describe('unknown ids', () => {
  it('are 404 on every route that takes one', async () => {
    for (const route of knownRoutes.filter(({ path }) => path.includes(':id'))) {
      const text = route.body && JSON.stringify(route.body);
      const reply = await send(rig.url, {
        method: route.method,
        path: pathIn(route, 'bad'),
        headers,
        ...(text && { text }),
      });
      refused(reply, `${route.method} ${route.path}`, [404]);
      assert.equal((reply.body as { message: string }).message, 'Resource not found');
    }
  });
});
