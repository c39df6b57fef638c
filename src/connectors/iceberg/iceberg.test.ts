import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { Ajv } from 'ajv';
import type { Column } from '../../columns/index.ts';
import { createColumnBuilder } from '../../columns/index.ts';
import { Failure } from '../../errors.ts';
import { createLocalStorage, loadTable, openJdbcCatalog } from '../../lakehouse/index.ts';
import { readIndependently } from '../../lakehouse/iceberg/table.test-support.ts';
import { createWorld } from '../../world.ts';
import type { Checkpoint, DestinationContext, OpenTable, RemovalChoice } from '../kit/index.ts';
import { readConfig } from './config.ts';
import { connector } from './index.ts';

const columns: readonly Column[] = ['_olake_id', '_op_type', 'note'].map((name, at) => ({
  name,
  type: { kind: 'string' },
  nullable: at > 0,
}));
const name = { database: 'shop', table: 'orders' };
const asked: OpenTable = { name, columns, checkpointKey: 'p/1/a.orders', run: 'r', identifier: '_olake_id' };
const checkpoint = (seq: number): Checkpoint => ({ v: 1, job: 'p/1', stream: 'a.orders', run: 'r', seq, mode: 'cdc' });

interface Site {
  readonly folder: string;
  readonly context: DestinationContext;
  writer(more?: Record<string, unknown>): Record<string, unknown>;
  rows(): Promise<unknown[][]>;
}

async function siteFor(t: TestContext): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'iceberg-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const world = createWorld();
  const jdbc_url = `jdbc:sqlite:${folder}/catalog.db`;
  return {
    folder,
    context: {
      world,
      warehouse: `${folder}/default`,
      guard: async () => {},
      allowPath: () => {},
      log: () => {},
      signal: new AbortController().signal,
    },
    writer: (more) => ({
      catalog_type: 'jdbc',
      jdbc_url,
      catalog_name: 'lake',
      iceberg_s3_path: `file://${folder}/lake`,
      ...more,
    }),
    async rows() {
      const owned = await openJdbcCatalog({ url: jdbc_url, catalogName: 'lake', allowPath: () => {} });
      const table = await loadTable({ storage: createLocalStorage(world), catalog: owned.catalog, name });
      await owned.close();
      const rows = await readIndependently(table!.metadata);
      return rows.map((row) => Object.values(row)).sort();
    },
  };
}

type Commits = readonly (readonly (readonly string[])[])[];

async function write(site: Site & { removal?: RemovalChoice }, config: unknown, commits: Commits): Promise<void> {
  const session = await connector.open(config, site.context);
  const table = await session.openTable({ ...asked, removal: site.removal });
  for (const [at, rows] of commits.entries()) {
    const unit = table.beginUnit();
    const vectors = columns.map((column, place) => {
      const builder = createColumnBuilder(column, rows.length);
      for (const row of rows) builder.append(row[place]!);
      return builder.finish();
    });
    await unit.write({ rows: rows.length, columns: vectors });
    await unit.commit('upsert', checkpoint(at + 1));
  }
  await table.close();
  await session.close();
}

const changes = [
  [
    ['1', 'c', 'one'],
    ['2', 'c', 'two'],
  ],
  [
    ['1', 'd', 'gone'],
    ['3', 'c', 'three'],
    ['3', 'd', 'gone'],
    ['2', 'd', 'gone'],
    ['2', 'c', 'back'],
  ],
];

describe('the Iceberg destination', () => {
  it('marks rows that the source deleted, or removes them when told to', async (t) => {
    const marking = await siteFor(t);
    await write(marking, { type: 'ICEBERG', writer: marking.writer() }, changes);
    assert.deepEqual(await marking.rows(), [
      ['1', 'd', 'gone'],
      ['2', 'c', 'back'],
      ['3', 'd', 'gone'],
    ]);
    const removing = await siteFor(t);
    await write(removing, removing.writer({ deletes: 'apply' }), changes);
    assert.deepEqual(await removing.rows(), [['2', 'c', 'back']]);
  });

  it('removes older rows in the way that the configuration asks for, with the same result', async (t) => {
    for (const delete_mode of ['position', 'copy_on_write']) {
      const site = await siteFor(t);
      await write(site, site.writer({ delete_mode, deletes: 'apply' }), changes);
      assert.deepEqual(await site.rows(), [['2', 'c', 'back']]);
    }
  });

  it('does with removed rows as the stream says, where it says something', async (t) => {
    const site = await siteFor(t);
    await write({ ...site, removal: { deletes: 'apply', deleteMode: 'copy_on_write' } }, site.writer(), changes);
    assert.deepEqual(await site.rows(), [['2', 'c', 'back']]);
    const kept = await siteFor(t);
    const config = kept.writer({ deletes: 'apply', delete_mode: 'position' });
    await write({ ...kept, removal: { deletes: 'mark' } }, config, changes);
    assert.equal((await kept.rows()).length, 3);
    const deletes = (folder: string) => readdir(folder, { recursive: true });
    assert.ok(!(await deletes(site.folder)).some((path) => path.includes('-deletes')), 'rewritten files need none');
    assert.ok((await deletes(kept.folder)).some((path) => path.includes('-deletes')));
  });

  it('looks after a table: few files, one snapshot, the same rows', async (t) => {
    const site = await siteFor(t);
    const config = site.writer({ deletes: 'apply' });
    await write(site, config, changes);
    const session = await connector.open(config, site.context);
    const policy = {
      compact: { targetFileBytes: 1 << 20, minInputFiles: 2 },
      expireSnapshots: { olderThanMs: -1000, keepAtLeast: 1 },
    };
    const work = { policy, signal: new AbortController().signal };
    const result = await session.maintain!(name, work);
    assert.deepEqual([result!.compactedFiles, result!.writtenFiles, result!.expiredSnapshots], [2, 1, 2]);
    assert.equal(await session.maintain!({ ...name, table: 'none' }, work), undefined);
    await session.close();
    assert.deepEqual(await site.rows(), [['2', 'c', 'back']]);
    const parquet = (await readdir(site.folder, { recursive: true })).filter((path) => path.endsWith('.parquet'));
    assert.equal(parquet.length, 1);
  });

  it('only appends where tables must not have identifier fields', async (t) => {
    const site = await siteFor(t);
    await write(site, site.writer({ no_identifier_fields: true }), changes);
    assert.equal((await site.rows()).length, 7);
  });

  it('checks warehouse and catalog and leaves nothing in the warehouse', async (t) => {
    const site = await siteFor(t);
    await connector.check({ writer: site.writer() }, site.context);
    assert.deepEqual(await readdir(site.folder), ['catalog.db']);
    const refusing = {
      ...site.context,
      allowPath: () => {
        throw new Failure('forbidden', 'not here');
      },
    };
    await assert.rejects(connector.check({ writer: site.writer() }, refusing), { kind: 'forbidden' });
    await assert.rejects(connector.check({ writer: { catalog_type: 'builtin' } }, site.context), {
      kind: 'configuration_invalid',
    });
  });

  it('refuses what it cannot do yet instead of ignoring it', () => {
    const refused: Record<string, unknown>[] = [
      { iceberg_s3_path: 'gs://bucket/lake' },
      { catalog_type: 'hive' },
      { catalog_type: 'nonsense' },
      { catalog_type: 'jdbc' },
      { catalog_type: 'jdbc', jdbc_url: 'jdbc:sqlite:/x', catalog_name: 'Lake' },
      { delete_mode: 'other' },
      { deletes: 'other' },
      { iceberg_s3_path: 'relative' },
      { iceberg_s3_path: '/' },
    ];
    for (const writer of refused) {
      assert.throws(() => readConfig({ writer }), { kind: 'configuration_invalid' }, JSON.stringify(writer));
    }
    assert.throws(() => readConfig('text'), { kind: 'configuration_invalid' });
    assert.deepEqual(readConfig({}), {
      catalog: { type: 'builtin' },
      warehouse: undefined,
      s3: {},
      appendsOnly: false,
      deletes: 'mark',
      deleteMode: 'equality',
    });
  });

  it('shows a form for every catalog, the asked one first chosen, passwords hidden', () => {
    for (const catalog of connector.catalogs) {
      const { jsonschema } = connector.spec(catalog);
      const writer = (jsonschema['properties'] as Record<string, { properties: Record<string, { default?: string }> }>)[
        'writer'
      ]!;
      assert.equal(writer.properties['catalog_type']!.default, catalog);
    }
    const validate = new Ajv({ strict: false, formats: { password: true } }).compile(connector.spec('jdbc').jsonschema);
    const valid = (writer: unknown): boolean => validate({ type: 'ICEBERG', writer });
    assert.ok(valid({ catalog_type: 'builtin' }));
    assert.ok(valid({ catalog_type: 'jdbc', jdbc_url: 'jdbc:sqlite:/c', iceberg_s3_path: '/lake' }));
    assert.ok(!valid({ catalog_type: 'jdbc', iceberg_s3_path: '/lake' }));
    assert.ok(!valid({ iceberg_s3_path: '/lake' }));
    assert.ok(JSON.stringify(connector.spec('jdbc')).includes('"title":"Password","format":"password"'));
  });
});

describe('files that the metadata of a table names', () => {
  const policy = { compact: { targetFileBytes: 1 << 20, minInputFiles: 2 } };

  it('are not read where they lie in a closed folder, by no call', async (t) => {
    const site = await siteFor(t);
    const config = { type: 'ICEBERG', writer: site.writer() };
    await write(site, config, changes);
    const closed = `${site.folder}/lake/shop/orders/data`;
    const allowPath = (path: string): void => {
      if (path.startsWith(`${closed}/`)) throw new Failure('configuration_invalid', `${path} is closed`);
    };
    const session = await connector.open(config, { ...site.context, allowPath });
    const { signal } = site.context;
    assert.equal((await session.maintain!(name, { policy, signal }))!.compactedFiles, 0);
    const sink = async (): Promise<void> => {};
    await assert.rejects(session.scanTable!(name, { columns: ['note'], sink, signal }), /data\/.* is closed/);
    await session.close();
    const open = await connector.open(config, site.context);
    assert.equal((await open.maintain!(name, { policy, signal }))!.compactedFiles, 2);
    await open.close();
  });

  it('are checked by their path, also where the location is spelled as a URL', async (t) => {
    const site = await siteFor(t);
    const paths: string[] = [];
    const context = { ...site.context, allowPath: (path: string) => void paths.push(path) };
    await write({ ...site, context }, { type: 'ICEBERG', writer: site.writer() }, changes.slice(0, 1));
    assert.ok(paths.length > 0);
    assert.deepEqual(
      paths.filter((path) => !path.startsWith('/')),
      [],
    );
  });
});
