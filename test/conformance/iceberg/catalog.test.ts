import assert from 'node:assert/strict';
import { readFile, readdir, symlink, writeFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { call, startCatalog, type CatalogAnswer, type CatalogRig } from './rig.ts';

let rig: CatalogRig;
before(async () => {
  rig = await startCatalog();
});
after(() => rig.close());

interface Loaded {
  readonly 'metadata-location': string | null;
  readonly config?: object;
  readonly metadata: {
    readonly 'table-uuid': string;
    readonly location: string;
    readonly [key: string]: unknown;
  };
}

const loaded = (answer: CatalogAnswer): Loaded => {
  assert.equal(answer.status, 200, answer.text);
  return answer.body as unknown as Loaded;
};

function refused(answer: CatalogAnswer, code: number, type: string): void {
  const { error } = answer.body as unknown as { error?: { message: string; type: string; code: number } };
  assert.deepEqual([answer.status, error?.code, error?.type], [code, code, type], answer.text);
  assert.ok(error!.message.length > 0);
}

const schema = {
  type: 'struct',
  'schema-id': 0,
  'identifier-field-ids': [7],
  fields: [
    { id: 7, name: 'id', required: true, type: 'long' },
    {
      id: 8,
      name: 'tags',
      required: false,
      type: { type: 'list', 'element-id': 11, element: 'string', 'element-required': false },
    },
    { id: 9, name: 'at', required: false, type: 'timestamptz' },
  ],
};

const P = '/v1/shop';
let count = 0;

/** A namespace of its own with a table `orders`. */
async function newTable(more: object = {}): Promise<{ path: string; ns: string; table: Loaded }> {
  const ns = `ns${++count}`;
  await call(rig, `POST ${P}/namespaces`, { body: { namespace: [ns] } });
  const answer = await call(rig, `POST ${P}/namespaces/${ns}/tables`, { body: { name: 'orders', schema, ...more } });
  return { path: `${P}/namespaces/${ns}/tables/orders`, ns, table: loaded(answer) };
}

const snapshot = (id: number | string, location: string, more: object = {}): string =>
  JSON.stringify({
    'snapshot-id': 'ID',
    'sequence-number': 1,
    'timestamp-ms': Date.now(),
    'manifest-list': `${location}/metadata/snap-${id}.avro`,
    summary: { operation: 'append' },
    'schema-id': 0,
    ...more,
  }).replace('"ID"', String(id));

const commitSnapshot = (id: number | string, table: Loaded, parent: number | string | null = null): string =>
  `{"requirements":[{"type":"assert-table-uuid","uuid":"${table.metadata['table-uuid']}"},
    {"type":"assert-ref-snapshot-id","ref":"main","snapshot-id":${parent}}],
    "updates":[{"action":"add-snapshot","snapshot":${snapshot(id, table.metadata.location)}},
    {"action":"set-snapshot-ref","ref-name":"main","type":"branch","snapshot-id":${id}}]}`;

const json = (): Record<string, string> => ({
  authorization: `Bearer ${rig.tokens.admin}`,
  'content-type': 'application/json',
});

describe('who may use the catalog', () => {
  it('is whoever shows a token, a session or what a client secret was changed for', async () => {
    refused(await call(rig, 'GET /v1/config', { headers: {} }), 401, 'NotAuthorizedException');
    refused(
      await call(rig, `GET ${P}/namespaces`, { headers: { authorization: 'Bearer x' } }),
      401,
      'NotAuthorizedException',
    );
    assert.equal((await call(rig, `GET ${P}/namespaces`, { headers: { cookie: rig.cookie } })).status, 200);
    const form = (secret: string, grant = 'client_credentials'): Promise<CatalogAnswer> =>
      call(rig, 'POST /v1/oauth/tokens', {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({
          grant_type: grant,
          client_id: 'any',
          client_secret: secret,
          scope: 'catalog',
        }).toString(),
      });
    const given = await form(rig.tokens.admin);
    assert.deepEqual([given.status, given.body['token_type']], [200, 'bearer']);
    const authorization = `Bearer ${String(given.body['access_token'])}`;
    assert.equal((await call(rig, 'GET /v1/config', { headers: { authorization } })).status, 200);
    const wrong = await form('wrong');
    assert.deepEqual([wrong.status, wrong.body['error']], [401, 'invalid_client']);
    assert.equal((await form(rig.tokens.admin, 'password')).body['error'], 'unsupported_grant_type');
  });

  it('is a viewer for reading only', async () => {
    const { path, ns } = await newTable();
    const headers = { authorization: `Bearer ${rig.tokens.viewer}` };
    assert.equal((await call(rig, `GET ${path}`, { headers })).status, 200);
    assert.equal((await call(rig, `POST ${path}/metrics`, { headers, body: {} })).status, 204);
    const writes: readonly [string, object?][] = [
      [`POST ${P}/namespaces`, { namespace: ['x'] }],
      [`DELETE ${P}/namespaces/${ns}`],
      [`POST ${P}/namespaces/${ns}/properties`, {}],
      [`POST ${P}/namespaces/${ns}/tables`, { name: 't', schema }],
      [`POST ${path}`, { requirements: [], updates: [] }],
      [`DELETE ${path}`],
      [`POST ${P}/namespaces/${ns}/register`, { name: 't', 'metadata-location': '/x' }],
      [
        `POST ${P}/tables/rename`,
        { source: { namespace: [ns], name: 'a' }, destination: { namespace: [ns], name: 'b' } },
      ],
      [`POST ${P}/transactions/commit`, { 'table-changes': [] }],
    ];
    for (const [line, body] of writes) refused(await call(rig, line, { headers, body }), 403, 'ForbiddenException');
  });

  it('sees nothing of another project', async () => {
    const { path, ns } = await newTable();
    refused(await call(rig, `GET ${path.replace('/shop/', '/other/')}`), 404, 'NoSuchNamespaceException');
    refused(await call(rig, `DELETE ${path.replace('/shop/', '/other/')}`), 404, 'NoSuchTableException');
    assert.deepEqual((await call(rig, 'GET /v1/other/namespaces')).body['namespaces'], []);
    refused(await call(rig, `GET /v1/..%2Fshop/namespaces/${ns}`), 400, 'BadRequestException');
    const inside = join(rig.folder, 'warehouse', 'shop', 'x');
    await call(rig, 'POST /v1/other/namespaces', { body: { namespace: ['n'] } });
    const answer = await call(rig, 'POST /v1/other/namespaces/n/tables', {
      body: { name: 't', schema, location: inside },
    });
    refused(answer, 400, 'BadRequestException');
  });
});

describe('the settings of the catalog', () => {
  it('name the project as prefix, and the endpoints that exist', async () => {
    const prefix = async (query: string): Promise<unknown> => {
      const { body } = await call(rig, `GET /v1/config${query}`);
      assert.deepEqual(body['defaults'], {});
      assert.ok((body['endpoints'] as unknown as string[]).includes('POST /v1/{prefix}/transactions/commit'));
      return body['overrides'];
    };
    assert.deepEqual(await prefix('?warehouse=shop'), { prefix: 'shop' });
    assert.deepEqual(await prefix('?warehouse=s3://b/x'), { prefix: 'olake' });
    assert.deepEqual(await prefix(''), { prefix: 'olake' });
  });

  it('are in the Iceberg form of errors for what does not exist', async () => {
    refused(await call(rig, 'GET /v1/shop/views'), 404, 'NotFoundException');
    refused(await call(rig, `POST ${P}/namespaces`, { body: '{', headers: json() }), 400, 'BadRequestException');
  });
});

describe('namespaces', () => {
  it('are made, listed by level, changed and dropped', async () => {
    const make = (namespace: string[], properties?: object): Promise<CatalogAnswer> =>
      call(rig, 'POST /v1/levels/namespaces', { body: { namespace, properties } });
    assert.deepEqual((await make(['a'], { owner: 'ines' })).body, { namespace: ['a'], properties: { owner: 'ines' } });
    refused(await make(['a']), 409, 'AlreadyExistsException');
    refused(await make(['a.b']), 400, 'BadRequestException');
    await make(['a', 'b']);
    await make(['a', 'b', 'c']);
    await make(['z']);
    const list = async (query: string): Promise<unknown> =>
      (await call(rig, `GET /v1/levels/namespaces${query}`)).body['namespaces'];
    assert.deepEqual(await list(''), [['a'], ['z']]);
    assert.deepEqual(await list('?parent=a'), [['a', 'b']]);
    assert.deepEqual(await list('?parent=a%1Fb'), [['a', 'b', 'c']]);
    refused(await call(rig, 'GET /v1/levels/namespaces?parent=q'), 404, 'NoSuchNamespaceException');
    const first = await call(rig, 'GET /v1/levels/namespaces?pageSize=1&pageToken=');
    assert.deepEqual(first.body['namespaces'], [['a']]);
    assert.deepEqual(await list(`?pageSize=1&pageToken=${String(first.body['next-page-token'])}`), [['z']]);
    const changed = await call(rig, 'POST /v1/levels/namespaces/a/properties', {
      body: { updates: { tier: 'gold' }, removals: ['owner', 'nothing'] },
    });
    assert.deepEqual(changed.body, { updated: ['tier'], removed: ['owner'], missing: ['nothing'] });
    const both = { updates: { x: '1' }, removals: ['x'] };
    refused(
      await call(rig, 'POST /v1/levels/namespaces/a/properties', { body: both }),
      422,
      'UnprocessableEntityException',
    );
    assert.deepEqual((await call(rig, 'GET /v1/levels/namespaces/a')).body['properties'], { tier: 'gold' });
    assert.equal((await call(rig, 'HEAD /v1/levels/namespaces/a%1Fb')).status, 204);
    assert.equal((await call(rig, 'HEAD /v1/levels/namespaces/b')).status, 404);
    refused(await call(rig, 'DELETE /v1/levels/namespaces/a%1Fb'), 409, 'NamespaceNotEmptyException');
    assert.equal((await call(rig, 'DELETE /v1/levels/namespaces/a%1Fb%1Fc')).status, 204);
    refused(await call(rig, 'DELETE /v1/levels/namespaces/a%1Fb%1Fc'), 404, 'NoSuchNamespaceException');
  });
});

describe('tables', () => {
  it('get a first metadata whose fields are numbered from one', async () => {
    const { table, path, ns } = await newTable({
      'partition-spec': { 'spec-id': 3, fields: [{ 'source-id': 9, 'field-id': 1007, name: 'day', transform: 'day' }] },
      'write-order': {
        'order-id': 1,
        fields: [{ 'source-id': 7, transform: 'identity', direction: 'asc', 'null-order': 'nulls-first' }],
      },
      properties: { owner: 'ines', 'format-version': '2' },
    });
    const { metadata } = table;
    const [first] = metadata['schemas'] as [typeof schema];
    assert.deepEqual(
      [first.fields.map((field) => field.id), (first.fields[1]!.type as { 'element-id': number })['element-id']],
      [[1, 2, 3], 4],
    );
    assert.deepEqual(first['identifier-field-ids'], [1]);
    assert.equal(metadata['last-column-id'], 4);
    assert.deepEqual(metadata['partition-specs'], [
      { 'spec-id': 0, fields: [{ 'source-id': 3, 'field-id': 1000, name: 'day', transform: 'day' }] },
    ]);
    assert.equal(
      (metadata['sort-orders'] as { fields: { 'source-id': number }[] }[]).at(-1)!.fields[0]!['source-id'],
      1,
    );
    assert.deepEqual(metadata['properties'], { owner: 'ines' });
    assert.equal(metadata.location, join(rig.folder, 'warehouse', 'shop', ns, 'orders'));
    assert.deepEqual(JSON.parse(await readFile(table['metadata-location']!, 'utf8')), metadata);
    assert.deepEqual(loaded(await call(rig, `GET ${path}`)).metadata, metadata);
    const again = await call(rig, `POST ${P}/namespaces/${ns}/tables`, { body: { name: 'orders', schema } });
    refused(again, 409, 'AlreadyExistsException');
    refused(
      await call(rig, `POST ${P}/namespaces/none/tables`, { body: { name: 'o', schema } }),
      404,
      'NoSuchNamespaceException',
    );
    const third = { name: 'v3', schema, properties: { 'format-version': '3' } };
    refused(await call(rig, `POST ${P}/namespaces/${ns}/tables`, { body: third }), 400, 'BadRequestException');
  });

  it('are listed in pages, told by HEAD, not sent twice, and dropped with or without their files', async () => {
    const { path, ns, table } = await newTable();
    await call(rig, `POST ${P}/namespaces/${ns}/tables`, { body: { name: 'zebra', schema } });
    const page = await call(rig, `GET ${P}/namespaces/${ns}/tables?pageSize=1`);
    assert.deepEqual(page.body['identifiers'], [{ namespace: [ns], name: 'orders' }]);
    const next = await call(
      rig,
      `GET ${P}/namespaces/${ns}/tables?pageSize=5&pageToken=${String(page.body['next-page-token'])}`,
    );
    assert.deepEqual(
      [next.body['identifiers'], next.body['next-page-token']],
      [[{ namespace: [ns], name: 'zebra' }], null],
    );
    assert.equal((await call(rig, `HEAD ${path}`)).status, 204);
    assert.equal((await call(rig, `HEAD ${path}x`)).status, 404);
    const tag = (await call(rig, `GET ${path}`)).headers.get('etag')!;
    assert.equal((await call(rig, `GET ${path}`, { headers: { ...json(), 'if-none-match': tag } })).status, 304);
    assert.equal((await call(rig, `DELETE ${path}`)).status, 204);
    refused(await call(rig, `GET ${path}`), 404, 'NoSuchTableException');
    refused(await call(rig, `DELETE ${path}`), 404, 'NoSuchTableException');
    assert.ok((await readFile(table['metadata-location']!, 'utf8')).length > 0);
    assert.equal((await call(rig, `DELETE ${P}/namespaces/${ns}/tables/zebra?purgeRequested=true`)).status, 204);
    assert.deepEqual(await readdir(join(rig.folder, 'warehouse', 'shop', ns)), ['orders']);
    assert.equal((await call(rig, `DELETE ${P}/namespaces/${ns}`)).status, 204);
  });

  it('are only prepared by stage-create, and made by the commit', async () => {
    const { ns } = await newTable();
    const body = { name: 'staged', schema, 'stage-create': true };
    const staged = loaded(await call(rig, `POST ${P}/namespaces/${ns}/tables`, { body }));
    assert.equal(staged['metadata-location'], null);
    const path = `${P}/namespaces/${ns}/tables/staged`;
    refused(await call(rig, `GET ${path}`), 404, 'NoSuchTableException');
    const { metadata } = staged;
    const commit = {
      requirements: [{ type: 'assert-create' }],
      updates: [
        { action: 'assign-uuid', uuid: metadata['table-uuid'] },
        { action: 'upgrade-format-version', 'format-version': 2 },
        { action: 'add-schema', schema: (metadata['schemas'] as object[])[0], 'last-column-id': 4 },
        { action: 'set-current-schema', 'schema-id': -1 },
        { action: 'add-spec', spec: { 'spec-id': 0, fields: [] } },
        { action: 'set-default-spec', 'spec-id': -1 },
        { action: 'add-sort-order', 'sort-order': { 'order-id': 0, fields: [] } },
        { action: 'set-default-sort-order', 'sort-order-id': -1 },
        { action: 'set-location', location: metadata.location },
        { action: 'add-snapshot', snapshot: JSON.parse(snapshot(12, metadata.location)) as object },
        { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 12 },
      ],
    };
    const made = loaded(await call(rig, `POST ${path}`, { body: commit }));
    assert.equal(made.metadata['current-snapshot-id'], 12);
    assert.equal(made.metadata['table-uuid'], metadata['table-uuid']);
    assert.deepEqual(made.metadata['default-spec-id'], 0);
    const other = { ...commit, updates: commit.updates.slice(0, -2) };
    refused(await call(rig, `POST ${path}`, { body: other }), 409, 'AlreadyExistsException');
    const missing = { requirements: [], updates: [{ action: 'set-properties', updates: { a: 'b' } }] };
    refused(await call(rig, `POST ${path}x`, { body: missing }), 404, 'NoSuchTableException');
  });

  it('are registered by their metadata file, and renamed', async () => {
    const { ns, table, path } = await newTable();
    await call(rig, `DELETE ${path}`);
    const location = table['metadata-location']!;
    const register = (name: string, more: object = {}): Promise<CatalogAnswer> =>
      call(rig, `POST ${P}/namespaces/${ns}/register`, { body: { name, 'metadata-location': location, ...more } });
    assert.deepEqual(loaded(await register('back')).metadata, table.metadata);
    refused(await register('back'), 409, 'AlreadyExistsException');
    assert.equal((await register('back', { overwrite: true })).status, 200);
    refused(await register('x', { 'metadata-location': '/etc/passwd' }), 400, 'BadRequestException');
    refused(await register('x', { 'metadata-location': `${location}.gone.metadata.json` }), 400, 'BadRequestException');
    const rename = (to: string): Promise<CatalogAnswer> =>
      call(rig, `POST ${P}/tables/rename`, {
        body: { source: { namespace: [ns], name: 'back' }, destination: { namespace: [to], name: 'moved' } },
      });
    refused(await rename('nowhere'), 404, 'NoSuchNamespaceException');
    assert.equal((await rename(ns)).status, 204);
    refused(await rename(ns), 404, 'NoSuchTableException');
    assert.equal((await call(rig, `HEAD ${P}/namespaces/${ns}/tables/moved`)).status, 204);
  });

  it('lie below the warehouse of their project, whatever a client says', async () => {
    const { ns, path } = await newTable();
    const home = join(rig.folder, 'warehouse', 'shop');
    const outside = join(rig.folder, 'outside');
    await mkdir(outside);
    await symlink(outside, join(home, 'link'));
    const places = [
      '/etc',
      `${home}/../other/t`,
      `file://${home}/../x`,
      's3://bucket/t',
      'relative/t',
      home,
      `${home}/link/t`,
      'gs://b/t',
    ];
    for (const [at, location] of places.entries()) {
      const answer = await call(rig, `POST ${P}/namespaces/${ns}/tables`, {
        body: { name: `t${at}`, schema, location },
      });
      refused(answer, 400, 'BadRequestException');
      const move = { updates: [{ action: 'set-location', location }] };
      refused(await call(rig, `POST ${path}`, { body: move }), 400, 'BadRequestException');
    }
    const fine = { name: 'fine', schema, location: `file://${home}/elsewhere/t/` };
    assert.equal(
      loaded(await call(rig, `POST ${P}/namespaces/${ns}/tables`, { body: fine })).metadata.location,
      `file://${home}/elsewhere/t`,
    );
    const stray = commitSnapshot(5, loaded(await call(rig, `GET ${path}`))).replace(
      /"manifest-list":"[^"]+"/,
      '"manifest-list":"/etc/passwd"',
    );
    refused(await call(rig, `POST ${path}`, { body: stray, headers: json() }), 400, 'BadRequestException');
  });

  it('lose no file of others by a purge or an old log entry that somebody made up', async () => {
    const { ns, table } = await newTable();
    const victim = join(rig.folder, 'victim.metadata.json');
    await writeFile(victim, 'precious');
    const folder = join(rig.folder, 'warehouse', 'shop', 'forged');
    await mkdir(join(folder, 'metadata'), { recursive: true });
    const forged = join(folder, 'metadata', '00001-forged.metadata.json');
    const metadata = {
      ...table.metadata,
      location: folder,
      properties: { 'write.metadata.delete-after-commit.enabled': 'true', 'write.metadata.previous-versions-max': '1' },
      'metadata-log': [{ 'timestamp-ms': 1, 'metadata-file': victim }],
    };
    await writeFile(forged, JSON.stringify(metadata));
    await call(rig, `POST ${P}/namespaces/${ns}/register`, { body: { name: 'forged', 'metadata-location': forged } });
    const path = `${P}/namespaces/${ns}/tables/forged`;
    loaded(await call(rig, `POST ${path}`, { body: { updates: [{ action: 'set-properties', updates: { a: 'b' } }] } }));
    await call(rig, `DELETE ${path}?purgeRequested=true`);
    assert.equal(await readFile(victim, 'utf8'), 'precious');
    assert.deepEqual(await readdir(join(folder, 'metadata')), []);
  });
});

describe('commits', () => {
  it('keep ids beyond 2^53 to the last digit', async () => {
    const { path, table } = await newTable();
    const id = '4611686018427387905';
    const answer = await call(rig, `POST ${path}`, { body: commitSnapshot(id, table), headers: json() });
    assert.equal(answer.status, 200, answer.text);
    assert.ok(answer.text.includes(`"current-snapshot-id":${id}`));
    const again = await call(rig, `GET ${path}`);
    assert.ok(again.text.includes(`"snapshot-id":${id}`));
    const wrong = await call(rig, `POST ${path}`, {
      body: commitSnapshot('77', table, '4611686018427387904'),
      headers: json(),
    });
    refused(wrong, 409, 'CommitFailedException');
    const right = await call(rig, `POST ${path}`, {
      body: commitSnapshot('77', table, id).replace(
        '"sequence-number":1',
        `"parent-snapshot-id":${id},"sequence-number":2`,
      ),
      headers: json(),
    });
    assert.equal(right.status, 200, right.text);
    assert.ok(right.text.includes(`"parent-snapshot-id":${id}`));
  });

  it('are refused when a requirement does not hold, and change nothing', async () => {
    const { path, table } = await newTable();
    const requirements = [
      { type: 'assert-create' },
      { type: 'assert-table-uuid', uuid: '00000000-0000-4000-8000-000000000000' },
      { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': 1 },
      { type: 'assert-ref-snapshot-id', ref: 'branch', 'snapshot-id': 1 },
      { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': 9 },
      { type: 'assert-current-schema-id', 'current-schema-id': 1 },
      { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': 1000 },
      { type: 'assert-default-spec-id', 'default-spec-id': 1 },
      { type: 'assert-default-sort-order-id', 'default-sort-order-id': 1 },
    ];
    const updates = [{ action: 'set-properties', updates: { a: 'b' } }];
    for (const requirement of requirements) {
      const answer = await call(rig, `POST ${path}`, { body: { requirements: [requirement], updates } });
      const type = requirement.type === 'assert-create' ? 'AlreadyExistsException' : 'CommitFailedException';
      refused(answer, 409, type);
    }
    const unknown = { requirements: [{ type: 'assert-weather' }], updates };
    refused(await call(rig, `POST ${path}`, { body: unknown }), 400, 'BadRequestException');
    assert.deepEqual(loaded(await call(rig, `GET ${path}`)), { ...table });
    const holding = [
      { type: 'assert-table-uuid', uuid: table.metadata['table-uuid'] },
      { type: 'assert-ref-snapshot-id', ref: 'main', 'snapshot-id': null },
      { type: 'assert-last-assigned-field-id', 'last-assigned-field-id': 4 },
      { type: 'assert-current-schema-id', 'current-schema-id': 0 },
      { type: 'assert-last-assigned-partition-id', 'last-assigned-partition-id': 999 },
      { type: 'assert-default-spec-id', 'default-spec-id': 0 },
      { type: 'assert-default-sort-order-id', 'default-sort-order-id': 0 },
    ];
    assert.equal((await call(rig, `POST ${path}`, { body: { requirements: holding, updates } })).status, 200);
  });

  it('are refused when an update is unknown or does not fit, and change nothing', async () => {
    const { path, table } = await newTable();
    const { location } = table.metadata;
    const bad: readonly object[] = [
      { action: 'add-view-version' },
      { action: '__proto__' },
      { action: 'upgrade-format-version', 'format-version': 3 },
      { action: 'assign-uuid', uuid: '00000000-0000-4000-8000-000000000000' },
      { action: 'set-current-schema', 'schema-id': 5 },
      { action: 'set-current-schema', 'schema-id': -1 },
      { action: 'set-default-spec', 'spec-id': 4 },
      { action: 'add-schema', schema: { type: 'struct', fields: [{ id: 1, name: 'a', type: 'long' }] } },
      { action: 'add-schema', schema: { type: 'struct', fields: 'none' } },
      { action: 'remove-schemas', 'schema-ids': [0] },
      { action: 'remove-partition-specs', 'spec-ids': [0] },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': 1 },
      {
        action: 'add-snapshot',
        snapshot: { 'snapshot-id': 1.5, 'manifest-list': `${location}/x`, summary: { operation: 'append' } },
      },
      { action: 'set-properties', updates: { a: { nested: true } } },
      { action: 'remove-properties', removals: 'a' },
    ];
    for (const update of bad) {
      refused(
        await call(rig, `POST ${path}`, { body: { requirements: [], updates: [update] } }),
        400,
        'BadRequestException',
      );
    }
    assert.deepEqual(loaded(await call(rig, `GET ${path}`)), table);
    const files = await readdir(`${location}/metadata`);
    assert.equal(files.length, 1, 'no metadata file of a refused commit remains');
  });

  it('do what each update says', async () => {
    const { path, table } = await newTable();
    const commit = async (updates: readonly object[]): Promise<Loaded['metadata']> =>
      loaded(await call(rig, `POST ${path}`, { body: { requirements: [], updates } })).metadata;
    const wider = {
      ...schema,
      fields: [
        ...(table.metadata['schemas'] as [typeof schema])[0].fields,
        { id: 5, name: 'note', required: false, type: 'string' },
      ],
      'identifier-field-ids': [1],
    };
    const shaped = await commit([
      { action: 'add-schema', schema: wider },
      { action: 'set-current-schema', 'schema-id': -1 },
      { action: 'add-spec', spec: { fields: [{ 'source-id': 5, name: 'note', transform: 'identity' }] } },
      { action: 'set-default-spec', 'spec-id': -1 },
      { action: 'set-properties', updates: { a: '1', b: '2' } },
      { action: 'remove-properties', removals: ['a'] },
    ]);
    assert.deepEqual(
      [
        shaped['current-schema-id'],
        shaped['last-column-id'],
        shaped['default-spec-id'],
        shaped['last-partition-id'],
        shaped['properties'],
      ],
      [1, 5, 1, 1000, { b: '2' }],
    );
    const { location } = table.metadata;
    const add = (id: number, sequence: number): object => ({
      action: 'add-snapshot',
      snapshot: { ...(JSON.parse(snapshot(id, location)) as object), 'sequence-number': sequence },
    });
    const main = (id: number): object => ({
      action: 'set-snapshot-ref',
      'ref-name': 'main',
      type: 'branch',
      'snapshot-id': id,
    });
    await commit([add(1, 1), main(1)]);
    const statistics = { 'snapshot-id': 1, 'statistics-path': `${location}/metadata/s.puffin`, 'blob-metadata': [] };
    const tagged = await commit([
      add(2, 2),
      main(2),
      { action: 'set-snapshot-ref', 'ref-name': 'old', type: 'tag', 'snapshot-id': 1, 'max-ref-age-ms': 5 },
      { action: 'set-statistics', 'snapshot-id': 1, statistics },
    ]);
    assert.deepEqual(tagged['refs'], {
      main: { 'snapshot-id': 2, type: 'branch' },
      old: { 'snapshot-id': 1, type: 'tag', 'max-ref-age-ms': 5 },
    });
    assert.deepEqual([tagged['last-sequence-number'], (tagged['snapshot-log'] as object[]).length], [2, 2]);
    const onlyMain = loaded(await call(rig, `GET ${path}?snapshots=refs`)).metadata;
    assert.equal((onlyMain['snapshots'] as object[]).length, 2);
    const expired = await commit([{ action: 'remove-snapshots', 'snapshot-ids': [1] }]);
    assert.deepEqual(
      [Object.keys(expired['refs'] as object), expired['statistics'], (expired['snapshot-log'] as object[]).length],
      [['main'], [], 1],
    );
    const empty = await commit([{ action: 'remove-snapshot-ref', 'ref-name': 'main' }]);
    assert.equal(empty['current-snapshot-id'], undefined);
    assert.equal((empty['metadata-log'] as object[]).length, 5);
  });

  it('of two clients at once: one lands, the other learns that it did not', async () => {
    const { path, table } = await newTable();
    const answers = await Promise.all(
      [101, 102, 103, 104].map((id) => call(rig, `POST ${path}`, { body: commitSnapshot(id, table), headers: json() })),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409, 409, 409]);
    const now = loaded(await call(rig, `GET ${path}`)).metadata;
    assert.equal((now['snapshots'] as object[]).length, 1);
    const files = await readdir(`${table.metadata.location}/metadata`);
    assert.equal(files.length, 2, 'metadata files of commits that lost are gone');
  });

  it('that do not exclude each other all land', async () => {
    const { path } = await newTable();
    const answers = await Promise.all(
      ['a', 'b', 'c'].map((key) =>
        call(rig, `POST ${path}`, { body: { updates: [{ action: 'set-properties', updates: { [key]: key } }] } }),
      ),
    );
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 200, 200],
    );
    assert.deepEqual(loaded(await call(rig, `GET ${path}`)).metadata['properties'], { a: 'a', b: 'b', c: 'c' });
  });

  it('sent again after a lost answer are answered as before', async () => {
    const { path, table } = await newTable();
    const body = commitSnapshot(9, table);
    const first = loaded(await call(rig, `POST ${path}`, { body, headers: json() }));
    assert.deepEqual(loaded(await call(rig, `POST ${path}`, { body, headers: json() })), first);
  });

  it('of several tables land together or not at all', async () => {
    const one = await newTable();
    const two = await newTable();
    const change = (made: typeof one, requirements: readonly object[]): object => ({
      identifier: { namespace: [made.ns], name: 'orders' },
      requirements,
      updates: [{ action: 'set-properties', updates: { both: 'yes' } }],
    });
    const never = [{ type: 'assert-current-schema-id', 'current-schema-id': 8 }];
    const send = (requirements: readonly object[]): Promise<CatalogAnswer> =>
      call(rig, `POST ${P}/transactions/commit`, {
        body: { 'table-changes': [change(one, []), change(two, requirements)] },
      });
    refused(await send(never), 409, 'CommitFailedException');
    const properties = async (made: typeof one): Promise<unknown> =>
      loaded(await call(rig, `GET ${made.path}`)).metadata['properties'];
    assert.deepEqual([await properties(one), await properties(two)], [{}, {}]);
    assert.equal((await readdir(`${one.table.metadata.location}/metadata`)).length, 1);
    assert.equal((await send([])).status, 204);
    assert.deepEqual([await properties(one), await properties(two)], [{ both: 'yes' }, { both: 'yes' }]);
    const twice = { 'table-changes': [change(one, []), change(one, [])] };
    refused(await call(rig, `POST ${P}/transactions/commit`, { body: twice }), 400, 'BadRequestException');
  });
});
