import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { ADMIN, startRig, type Rig } from '../conformance/olake/rig.ts';
import { knownRoutes, type KnownRoute } from '../conformance/olake/routes.ts';
import { send, signIn, type Reply } from '../conformance/olake/wire.ts';
import { HOSTILE_TEXTS, HOSTILE_VALUES, placesOf, RAW_BODIES, withValue } from './support/hostile.ts';
import { describe, fireAll, judgeAny, type Shot } from './support/volleys.ts';

let rig: Rig;
let headers: Record<string, string>;
const ids: Record<string, number> = {};

const source = { type: 'postgres', version: 'v1', config: { host: 'h', port: 5432, password: 'hunter2' } };
const target = { type: 'parquet', version: 'v1', config: { writer: { local_path: '/x' } } };
const streams = {
  selected_streams: { public: [{ stream_name: 'orders', normalization: true, filter: 'id > 1' }] },
  streams: [{ stream: { name: 'orders', namespace: 'public', sync_mode: 'full_refresh', cursor_field: 'id' } }],
};

before(async () => {
  rig = await startRig({ signup: 'closed' });
  headers = await signIn(rig.url, ADMIN);
  const { text } = await send(rig.url, {
    method: 'POST',
    path: '/api/v1/project/fuzz/jobs',
    headers,
    text: JSON.stringify({
      name: 'j',
      source: { name: 's', ...source },
      destination: { name: 'd', ...target },
      frequency: 'daily',
      streams_config: streams,
      activate: false,
    }),
  });
  assert.match(text, /"success":true/, text);
  ids['jobs'] = (JSON.parse(text) as { data: { id: number } }).data.id;
  for (const kind of ['source', 'destination']) {
    const { rows } = await rig.store.pool.query<{ id: number }>('select id from connection where kind = $1', [kind]);
    ids[`${kind}s`] = Number(rows[0]!.id);
  }
});
after(() => rig?.close());

/** A body that is accepted but for what is put into it, so that the shot goes deep. */
function bodyFor(route: KnownRoute): Record<string, unknown> | undefined {
  if (route.body === undefined) return undefined;
  const deep: Record<string, unknown> = { ...route.body };
  if ('config' in deep) Object.assign(deep, deep['type'] === 'parquet' ? target : source);
  if ('source' in deep) {
    deep['source'] = { name: 's', ...source };
    deep['destination'] = { name: 'd', ...target };
    deep['advanced_settings'] = { max_threads: 1, error_policy: 'fail' };
  }
  for (const field of ['streams_config', 'updated_streams_config', 'difference_streams']) {
    if (field in deep) deep[field] = streams;
  }
  for (const field of ['state', 'state_file']) {
    if (field in deep)
      deep[field] = { type: 'STREAM', streams: [{ stream: 'orders', namespace: 'public', state: {} }] };
  }
  if ('project_id' in deep) deep['project_id'] = 'fuzz';
  return deep;
}

function pathFor(route: KnownRoute): string {
  const kind = /\/(sources|destinations|jobs)\/:id/.exec(route.path)?.[1];
  return route.path.replace(':p', 'fuzz').replace(':id', String((kind && ids[kind]) ?? 999_999));
}

function* shotsAt(route: KnownRoute): Generator<Shot> {
  const { method } = route;
  const path = pathFor(route);
  const body = bodyFor(route);
  if (body) {
    for (const text of RAW_BODIES) yield { method, path, text };
    for (const place of placesOf(body)) {
      for (const value of HOSTILE_VALUES) yield { method, path, text: JSON.stringify(withValue(body, place, value)) };
    }
    yield { method, path, text: JSON.stringify(body), headers: { 'content-type': 'multipart/form-data; boundary=' } };
  }
  for (const text of HOSTILE_TEXTS) {
    const word = encodeURIComponent(text.toWellFormed()).slice(0, 3000);
    for (const part of ['fuzz', String(999_999), 'x']) {
      if (path.includes(`/${part}`)) yield { method, path: path.replace(`/${part}`, `/${word}`) };
    }
    const joint = path.includes('?') ? '&' : '?';
    for (const name of ['limit', 'offset', 'form', 'cursor', 'file_path', 'config', 'type', '__proto__', 'source_id']) {
      if (method === 'GET') yield { method, path: `${path}${joint}${name}=${word}` };
    }
  }
}

function judge(shot: Shot, reply: Reply): void {
  judgeAny(shot, reply);
  const where = describe(shot);
  // The echo of a write holds what the caller sent, and nothing else may hold a secret.
  if (!shot.text?.includes('hunter2')) assert.ok(!reply.text.includes('hunter2'), where);
  if (reply.headers['content-type']?.includes('json') !== true || reply.status === 431) return;
  const { success, message } = reply.body as { success: unknown; message: unknown };
  assert.equal(success, reply.status === 200, where);
  assert.equal(typeof message, 'string', where);
  if (reply.status >= 400) assert.ok(!Object.hasOwn(reply.body as object, 'data'), where);
}

/** What a refused call must leave as it was. */
async function fingerprint(): Promise<string> {
  const { rows } = await rig.store.pool.query<{ all: string }>(`select json_build_array(
    (select json_agg(c order by id) from connection c), (select json_agg(j order by id) from job j),
    (select json_agg(s order by id) from project_settings s),
    (select json_agg(u order by id) from users u), (select count(*) from run), (select count(*) from audit)
  )::text as all`);
  return rows[0]!.all;
}

it('no hostile input is answered by 5xx, and what is refused changes nothing', async (test) => {
  const skipped = new Set(['/logout', '/api/v1/users/:id']);
  const routes = knownRoutes.filter((route) => !skipped.has(route.path) && route.method !== 'DELETE');
  await fireAll(test, {
    shots: routes.flatMap((route) => [...shotsAt(route)]),
    longestMs: 45_000,
    singly: 300,
    least: 500,
    send: (shot) => send(rig.url, { ...shot, headers: { ...headers, ...shot.headers } }),
    judge,
    fingerprint,
  });
  assert.equal((await send(rig.url, { method: 'GET', path: '/health' })).status, 200);
});
