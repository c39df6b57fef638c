import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import {
  createLocalStorage,
  openIcebergTable,
  openRestCatalog,
  referencedFiles,
  type IcebergTable,
  type RestCatalog,
  type RestCatalogOptions,
} from '../../../src/lakehouse/index.ts';
import {
  batchOf,
  checkpoint,
  orderColumns,
  readIndependently,
  type Row,
} from '../../../src/lakehouse/iceberg/table.test-support.ts';
import { createWorld, type World } from '../../../src/world.ts';
import { call, startCatalog, type CatalogRig } from './rig.ts';
import { startProxy, type Proxy } from './proxy.ts';

let rig: CatalogRig;
before(async () => {
  rig = await startCatalog();
});
after(() => rig.close());

const name = { database: 'shop', table: 'orders' };
const commitLine = /^POST \S+\/tables\/orders$/;
let projects = 0;

interface Site {
  readonly proxy: Proxy;
  readonly project: string;
  readonly catalog: RestCatalog;
  connect(more?: Partial<RestCatalogOptions>): Promise<RestCatalog>;
  open(catalog?: RestCatalog, key?: string): Promise<IcebergTable>;
  /** What the server itself holds, past the proxy. */
  ids(): Promise<unknown[]>;
  snapshots(): Promise<number>;
  assertTidy(): Promise<void>;
}

/** A project of its own, reached through a proxy that a test may break. */
async function siteFor(t: TestContext): Promise<Site> {
  const proxy = await startProxy(rig.url);
  t.after(() => proxy.close());
  const world = createWorld();
  const project = `client${++projects}`;
  const location = join(rig.folder, 'warehouse', project, 'shop', 'orders');
  const credentials = { type: 'token', token: rig.tokens.admin } as const;
  const storage = createLocalStorage(world);
  const connect = (more: Partial<RestCatalogOptions> = {}): Promise<RestCatalog> =>
    openRestCatalog({ url: proxy.url, warehouse: project, credentials, world, ...more });
  const direct = await openRestCatalog({ url: rig.url, warehouse: project, credentials, world });
  const catalog = await connect();
  const load = async () => (await direct.load(name))!;
  return {
    proxy,
    project,
    catalog,
    connect,
    open: (of = catalog, key = 'p/1/public.orders') =>
      openIcebergTable({
        storage,
        world,
        catalog: of,
        name,
        guard: async () => {},
        location,
        columns: orderColumns,
        identifierFields: true,
        checkpointKey: key,
        run: 'run-1',
        codec: 'zstd',
        targetFileBytes: 64 << 20,
      }),
    ids: async () => (await readIndependently((await load()).metadata)).map((row) => row['_olake_id']).sort(),
    snapshots: async () => (await load()).metadata.snapshots.length,
    async assertTidy() {
      const files = (await readdir(location, { recursive: true })).filter(
        (path) => /\.\w+$/.test(path) && !path.endsWith('.open'),
      );
      const listed = await referencedFiles(storage, await load());
      assert.deepEqual(files.map((path) => path.slice(path.lastIndexOf('/') + 1)).sort(), [...listed].sort());
    },
  };
}

async function append(table: IcebergTable, seq: number, rows: readonly Row[]): Promise<void> {
  const unit = table.beginUnit();
  try {
    await unit.write(batchOf(orderColumns, rows));
    await unit.commit('append', checkpoint(seq));
  } finally {
    await unit.abort();
  }
}

describe('a commit through a REST catalog', () => {
  const lost = {
    'whose answer is cut off': [{ when: 'after', cut: true }],
    'that is done and answered by 500': [{ when: 'after', status: 500 }],
    'that a gateway answers by 504': [{ when: 'after', status: 504 }],
    'that never reaches the server at first': [
      { when: 'before', cut: true },
      { when: 'before', status: 503 },
    ],
    'whose second try finds that the first was late': [
      { when: 'before', status: 502 },
      { when: 'after', cut: true },
    ],
  } as const;
  for (const [what, faults] of Object.entries(lost)) {
    it(`${what} happens once`, async (t) => {
      const site = await siteFor(t);
      const table = await site.open();
      await append(table, 1, [['a', 1n]]);
      site.proxy.break(commitLine, faults);
      await append(table, 2, [['b', 2n]]);
      assert.deepEqual(await site.ids(), ['a', 'b']);
      assert.equal(await site.snapshots(), 2);
      assert.equal(table.checkpoint?.seq, 2);
      await append(table, 3, [['c', 3n]]);
      assert.deepEqual(await site.ids(), ['a', 'b', 'c']);
      await site.assertTidy();
    });
  }

  it('that is not answered in time is looked for, and sent again', async (t) => {
    const site = await siteFor(t);
    const table = await site.open(await site.connect({ timeoutMs: 500 }));
    site.proxy.break(commitLine, [{ when: 'before', silent: true }]);
    await append(table, 1, [['a', 1n]]);
    assert.deepEqual(await site.ids(), ['a']);
  });

  it('keeps its files when nobody can tell what became of it; the next attempt knows', async (t) => {
    const site = await siteFor(t);
    const table = await site.open();
    const load = /^(GET|POST) \S+\/tables\/orders$/;
    site.proxy.break(load, [
      { when: 'after', cut: true },
      ...Array.from({ length: 8 }, () => ({ when: 'before', status: 503 }) as const),
    ]);
    await assert.rejects(append(table, 1, [['a', 1n]]), { kind: 'connection_lost' });
    await table.close();
    assert.deepEqual(await site.ids(), ['a']);
    site.proxy.break(load, []);
    const again = await site.open();
    assert.equal(again.checkpoint?.seq, 1);
    await append(again, 2, [['b', 1n]]);
    await again.close();
    assert.deepEqual(await site.ids(), ['a', 'b']);
    await site.assertTidy();
  });

  it('that arrives after a newer attempt has begun is refused', async (t) => {
    for (const effect of ['append', 'stage'] as const) {
      const site = await siteFor(t);
      await append(await site.open(), 1, [['a', 1n]]);
      const table = await site.open();
      const all = /^(GET|POST) \S+\/tables\/orders$/;
      const away = Array.from({ length: 8 }, () => ({ when: 'before', status: 503 }) as const);
      site.proxy.break(all, [{ when: 'before', late: true }, ...away]);
      const unit = table.beginUnit();
      await unit.write(batchOf(orderColumns, [['b', 1n]]));
      await assert.rejects(unit.commit(effect, checkpoint(2)), { kind: 'connection_lost' });
      site.proxy.break(all, []);
      const newer = await site.open();
      assert.equal(newer.checkpoint?.seq, 1);
      assert.equal(await site.proxy.release(), 409);
      await append(newer, 2, [['c', 1n]]);
      await newer.close();
      assert.deepEqual(await site.ids(), ['a', 'c']);
      await site.assertTidy();
    }
  });

  it('stands beside that of another engine: both end up in the table', async (t) => {
    const site = await siteFor(t);
    const table = await site.open();
    const other = await site.open(await site.connect(), 'p/2/public.orders');
    await append(table, 1, [['a', 1n]]);
    await append(other, 1, [['b', 2n]]);
    const foreign = await call(rig, `POST /v1/${site.project}/namespaces/shop/tables/orders`, {
      body: { requirements: [], updates: [{ action: 'set-properties', updates: { 'engine.note': 'kept' } }] },
    });
    assert.equal(foreign.status, 200);
    await append(table, 2, [['c', 3n]]);
    assert.deepEqual(await site.ids(), ['a', 'b', 'c']);
    assert.equal(table.metadata.properties['engine.note'], 'kept');
    await site.assertTidy();
  });

  it('of columns and properties arrives as the same columns and properties', async (t) => {
    const site = await siteFor(t);
    const table = await site.open();
    assert.deepEqual(
      (await site.catalog.load(name))!.metadata.schemas.map((one) => one.fields.map((field) => [field.id, field.name])),
      [
        [
          [1, '_olake_id'],
          [2, 'amount'],
        ],
      ],
    );
    const unit = table.beginUnit();
    await unit.write(batchOf(orderColumns, [['s', 1n]]));
    await unit.commit('stage', checkpoint(1));
    await table.close();
    const next = await site.open();
    assert.equal(next.checkpoint?.seq, 1);
    assert.deepEqual(await site.ids(), []);
    await next.publishStaged(checkpoint(2));
    assert.deepEqual(await site.ids(), ['s']);
  });
});

describe('a REST catalog of somebody else', () => {
  it('is asked again for a token when the old one is stale or refused', async (t) => {
    const site = await siteFor(t);
    let elapsed = 0;
    const world: World = { ...createWorld(), elapsed: () => elapsed };
    const credentials = { type: 'oauth2', credential: `any:${rig.tokens.admin}` } as const;
    const catalog = await site.connect({ credentials, world });
    const asked = (): number => site.proxy.seen.filter((line) => line.endsWith('/oauth/tokens')).length;
    await catalog.list();
    assert.equal(asked(), 1);
    elapsed += 3_000_000;
    await catalog.list();
    assert.equal(asked(), 2);
    site.proxy.break(/\/namespaces/, [{ when: 'before', status: 401 }]);
    await catalog.list();
    assert.equal(asked(), 3);
    await assert.rejects(site.connect({ credentials: { type: 'oauth2', credential: 'any:wrong' } }), {
      kind: 'credentials_refused',
    });
    await assert.rejects(site.connect({ credentials: { type: 'none' } }), { kind: 'credentials_refused' });
  });

  it('is asked again when it is busy, and named when it does not answer', async (t) => {
    const site = await siteFor(t);
    site.proxy.break(/\/config/, [
      { when: 'before', status: 503 },
      { when: 'before', cut: true },
      { when: 'before', status: 429 },
    ]);
    await site.connect();
    await assert.rejects(site.connect({ url: 'http://127.0.0.1:1/x' }), {
      kind: 'unreachable',
      message: /127\.0\.0\.1:1/,
    });
    const metadataService = site.connect({ url: 'http://169.254.169.254/latest' });
    await assert.rejects(metadataService, { kind: 'configuration_invalid', message: /metadata service/ });
    await assert.rejects(site.connect({ url: 'ftp://x' }), { kind: 'configuration_invalid' });
    await assert.rejects(site.connect({ url: 'http://u:p@x/' }), { kind: 'configuration_invalid' });
  });

  it('lists, finds and forgets tables', async (t) => {
    const site = await siteFor(t);
    await (await site.open()).close();
    assert.deepEqual(await site.catalog.list(), [name]);
    assert.deepEqual(await site.catalog.list('none'), []);
    assert.equal(await site.catalog.exists(name), true);
    assert.equal(await site.catalog.drop(name), true);
    assert.equal(await site.catalog.drop(name), false);
    assert.equal(await site.catalog.exists(name), false);
    assert.equal(await site.catalog.load(name), undefined);
  });
});
