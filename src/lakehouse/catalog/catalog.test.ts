import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import pg from 'pg';
import { createTestStore } from '../../../test/support/database.ts';
import type { OwnedCatalog } from './index.ts';
import { createSqlCatalog, openJdbcCatalog } from './index.ts';

const name = { database: 'shop', table: 'orders' };
const allowPath = (): void => {};

async function assertCompareAndSwap(catalog: OwnedCatalog['catalog']): Promise<void> {
  assert.equal(await catalog.load(name), undefined);
  assert.equal(await catalog.swap(name, { expected: null, next: 'm0' }), true);
  assert.equal(await catalog.swap(name, { expected: null, next: 'other' }), false);
  assert.equal(await catalog.swap(name, { expected: 'm9', next: 'm1' }), false);
  const rivals = ['m1', 'm1b'].map((next) => catalog.swap(name, { expected: 'm0', next }));
  assert.deepEqual((await Promise.all(rivals)).toSorted(), [false, true]);
  const entry = await catalog.load(name);
  assert.equal(entry?.previousMetadataLocation, 'm0');
  assert.deepEqual(await catalog.list(), [name]);
  assert.deepEqual(await catalog.list('elsewhere'), []);
  assert.equal(await catalog.drop(name), true);
  assert.equal(await catalog.drop(name), false);
}

async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'catalog-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe('the SQL catalog', () => {
  it('swaps by comparison in the tables of our own store', async (t) => {
    const { store, close } = await createTestStore();
    t.after(close);
    const query = (text: string, values: readonly (string | null)[]): Promise<pg.QueryResult> =>
      store.pool.query(text, [...values]);
    await assertCompareAndSwap(createSqlCatalog({ query, catalogName: 'olake' }));
    await createSqlCatalog({ query, catalogName: 'other' }).swap(name, { expected: null, next: 'x' });
    assert.deepEqual(await createSqlCatalog({ query, catalogName: 'olake' }).list(), []);
    const spaces = await store.pool.query(
      'select catalog_name, namespace, property_key from iceberg_namespace_properties',
    );
    assert.equal(spaces.rowCount, 2);
  });

  it('opens by a jdbc:sqlite: URL, and makes its tables once', async (t) => {
    const folder = await temporaryFolder(t);
    const options = { url: `jdbc:sqlite:${folder}/c.db`, catalogName: 'lake', allowPath };
    const first = await openJdbcCatalog(options);
    const second = await openJdbcCatalog(options);
    await assertCompareAndSwap(first.catalog);
    await first.catalog.swap(name, { expected: null, next: 'm0' });
    assert.equal((await second.catalog.load(name))?.metadataLocation, 'm0');
    await Promise.all([first.close(), second.close()]);
  });

  it('opens by a jdbc:postgresql: URL, and makes its tables once', async (t) => {
    const { store, close } = await createTestStore();
    t.after(close);
    await store.pool.query('drop table iceberg_tables, iceberg_namespace_properties');
    const url = new URL(store.url);
    const options = { url: `jdbc:${store.url}`, catalogName: 'lake', allowPath };
    const owned = await openJdbcCatalog({ ...options, ...credentials(url) });
    t.after(() => owned.close());
    await assertCompareAndSwap(owned.catalog);
    const again = await openJdbcCatalog({ ...options, ...credentials(url) });
    await again.close();
  });

  it('works on tables of engines that know no views', async (t) => {
    const { store, close } = await createTestStore();
    t.after(close);
    await store.pool.query('alter table iceberg_tables drop column iceberg_type');
    const url = new URL(store.url);
    const owned = await openJdbcCatalog({
      url: `jdbc:${store.url}`,
      catalogName: 'lake',
      allowPath,
      ...credentials(url),
    });
    t.after(() => owned.close());
    await assertCompareAndSwap(owned.catalog);
  });

  it('says what is wrong with a URL or a database that is not there', async () => {
    const open = (url: string): Promise<OwnedCatalog> => openJdbcCatalog({ url, catalogName: 'lake', allowPath });
    await assert.rejects(open('jdbc:mysql://h/db'), { kind: 'configuration_invalid' });
    await assert.rejects(open('postgresql://h/db'), { kind: 'configuration_invalid' });
    await assert.rejects(open('jdbc:sqlite:relative.db'), { kind: 'configuration_invalid' });
    await assert.rejects(open('jdbc:sqlite:/no/such/folder/c.db'), { kind: 'unreachable' });
    await assert.rejects(open('jdbc:postgresql://127.0.0.1:1/db'), { kind: 'unreachable' });
  });
});

const credentials = (url: URL): { username?: string; password?: string } => ({
  ...(url.username && { username: decodeURIComponent(url.username) }),
  ...(url.password && { password: decodeURIComponent(url.password) }),
});
