import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { sharedS3 } from '../../../test/support/s3-place.ts';
import type { Column } from '../../columns/index.ts';
import {
  batchOf,
  checkpoint,
  openLake,
  readIndependently,
  type Lake,
} from '../../lakehouse/iceberg/table.test-support.ts';
import {
  createPointerTables,
  createStorage,
  loadTable,
  openIcebergTable,
  type IcebergTable,
  type Storage,
} from '../../lakehouse/index.ts';
import { createTestCall, execute } from '../kit/attempt.test-support.ts';
import { createWorld } from '../../world.ts';
import type { ComponentPorts, LakeTables, Parameters } from '../kit/index.ts';
import { component } from './component.ts';
import { findLakeNames, type Definition } from './lake-names.ts';
import type { SqlDataset, SqlResult } from './work.ts';

const column = (name: string, type: Column['type'], nullable = true): Column => ({ name, type, nullable });
const columns = [
  column('_olake_id', { kind: 'string' }, false),
  column('amount', { kind: 'long' }),
  column('price', { kind: 'decimal', precision: 20, scale: 4 }),
  column('placed', { kind: 'timestamp' }),
  column('is paid', { kind: 'boolean' }),
];
const at = (minute: number): bigint => 1_767_225_600_000_000n + BigInt(minute) * 60_000_000n;
const row = (id: string, amount: bigint | null) =>
  [id, amount, amount === null ? null : amount * 10_000n, at(1), true] as const;

const folder = mkdtempSync(join(tmpdir(), 'penstock-sql-lake-'));
let lake: Lake;
let moved: string | undefined;
let remote: Storage | undefined;

const tables: LakeTables = {
  async open(project, name) {
    const storage = name.table === 'remote' ? remote! : lake.storage;
    const found = project === 'olake' ? await loadTable({ storage, catalog: lake.catalog, name }) : undefined;
    if (!found) return undefined;
    const metadata = moved === undefined ? found.metadata : { ...found.metadata, location: moved };
    return { metadata, storage };
  },
};
const spec = component({
  config: { dataDir: join(folder, 'data') },
  world: createWorld(),
  lake: tables,
} as unknown as ComponentPorts);

function run(...statements: readonly string[]): Promise<SqlResult> {
  return execute(spec, { statements }) as Promise<SqlResult>;
}

before(async () => {
  lake = await openLake();
});

after(async () => {
  await lake?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function withTable(
  table: string,
  mode: 'position' | 'equality',
  work: (table: IcebergTable) => Promise<void>,
): Promise<void> {
  const opened = await lake.open({
    name: { database: 'shop', table },
    location: `${lake.folder}/shop/${table}`,
    columns,
    identifier: '_olake_id',
    deleteMode: mode,
  } as never);
  await work(opened);
  await opened.close();
}

async function write(
  table: IcebergTable,
  how: 'append' | 'upsert',
  rows: readonly (readonly unknown[])[],
): Promise<void> {
  const unit = table.beginUnit();
  await unit.write(batchOf(columns, rows as never));
  await unit.commit(how, checkpoint((table.checkpoint?.seq ?? 0) + 1));
}

describe('names of lake tables in statements', () => {
  const find = (sql: string, definitions: readonly Definition[] = []) =>
    findLakeNames([sql], definitions).map(({ database, table }) => `${database}/${table}`);

  it('are found wherever a table may stand, quoted or not, and nowhere else', () => {
    assert.deepEqual(
      find('insert into x select * from lake.shop.orders o join LAKE."A b"."c""d" on true'),
      ['A b/c"d', 'shop/orders'].toReversed(),
    );
    assert.deepEqual(find("select 'lake.shop.orders', x.lake.shop.orders -- lake.a.b\n /* lake.c.d */"), []);
    assert.deepEqual(find('select lake . shop /* x */ . orders.id from t'), ['shop/orders']);
  });

  it('are found behind views and macros', () => {
    const definitions = [
      { name: 'recent', sql: 'CREATE VIEW recent AS SELECT * FROM base' },
      { name: 'base', sql: 'CREATE VIEW base AS SELECT * FROM lake.shop.orders' },
      { name: 'other', sql: 'CREATE VIEW other AS SELECT * FROM lake.shop.never' },
    ];
    assert.deepEqual(find('select * from Recent', definitions), ['shop/orders']);
  });
});

describe('tables of the lakehouse in statements', () => {
  for (const mode of ['position', 'equality'] as const) {
    it(`are read as they are now, without rows that ${mode} deletes remove`, async () => {
      const name = `orders_${mode}`;
      await withTable(name, mode, async (table) => {
        await write(table, 'append', [row('a', 1n), row('b', 2n), row('c', null), row('d', 4n)]);
        await write(table, 'upsert', [row('b', 20n), row('e', 9007199254740993n)]);
        await write(table, 'upsert', [row('a', 10n)]);
      });
      const { rows } = await run(
        `select _olake_id as id, amount, price, placed, "is paid" from lake.shop.${name} order by 1`,
      );
      assert.deepEqual(
        rows.map((one) => [one['id'], one['amount'], one['price']]),
        [
          ['a', 10, '10.0000'],
          ['b', 20, '20.0000'],
          ['c', null, null],
          ['d', 4, '4.0000'],
          ['e', '9007199254740993', '9007199254740993.0000'],
        ],
      );
      assert.deepEqual([rows[0]!['placed'], rows[0]!['is paid']], ['2026-01-01 00:01:00+00', true]);
      const found = await loadTable({
        storage: lake.storage,
        catalog: lake.catalog,
        name: { database: 'shop', table: name },
      });
      assert.equal((await readIndependently(found!.metadata)).length, rows.length, 'as another reader sees it');
    });
  }

  it('feed tables and views of the project, and each other', async () => {
    await run(
      'create table totals as select sum(amount)::bigint as total from lake.shop.orders_position where amount < 100',
      'create view paid as select * from lake.shop.orders_position where "is paid"',
      'create macro doubled(x) as x * 2',
    );
    const { rows } = await run('select total, (select count(*) from paid) as paid from totals');
    assert.deepEqual(rows, [{ total: 34, paid: 5 }]);
    const joined = await run(
      'select count(*) as n from LAKE.Shop.Orders_Position p join lake.shop.orders_equality e using (_olake_id)',
    );
    assert.deepEqual(joined.rows, [{ n: 5 }]);
  });

  it('are empty while nothing was written to them', async () => {
    await withTable('empty', 'position', async (table) => {
      await write(table, 'append', []);
    });
    assert.deepEqual((await run('select count(*) as n, count(amount) as m from lake.shop.empty')).rows, [
      { n: 0, m: 0 },
    ]);
  });

  it('are read from a bucket as well', async () => {
    const { settings, makeBucket } = await sharedS3();
    const bucket = await makeBucket('sql');
    const storage = createStorage({ world: lake.world, s3: settings });
    const pointers = createPointerTables({ storage, world: lake.world, catalog: lake.catalog });
    const table = await openIcebergTable({
      storage,
      world: lake.world,
      catalog: pointers,
      guard: async () => {},
      identifierFields: true,
      checkpointKey: 'p/1/public.orders',
      run: 'run-1',
      codec: 'zstd',
      targetFileBytes: 64 << 20,
      name: { database: 'shop', table: 'remote' },
      location: `s3://${bucket}/shop/remote`,
      columns,
      identifier: '_olake_id',
      deleteMode: 'position',
    });
    await write(table, 'append', [row('a', 1n), row('b', 2n)]);
    await write(table, 'upsert', [row('b', 3n)]);
    await table.close();
    remote = storage;
    const { rows } = await run('select _olake_id as id, amount from lake.shop.remote order by 1');
    assert.deepEqual(rows, [
      { id: 'a', amount: 1 },
      { id: 'b', amount: 3 },
    ]);
  });

  it('cannot be written, and their files cannot be named', async () => {
    const name = 'lake.shop.orders_position';
    for (const way of [
      `insert into ${name} select * from ${name}`,
      `with x as (select * from ${name}) insert into LAKE."shop".orders_position select * from x`,
      `delete from ${name} where amount = 1`,
      `update ${name} set amount = 0`,
      `truncate ${name}`,
      `merge into ${name} using ${name} o on true when matched then delete`,
      `create index i on ${name} (amount)`,
      `create or replace table lake.shop.fresh as select 1`,
      `alter table ${name} add column x int`,
      `drop view ${name}`,
    ]) {
      await assert.rejects(run(way), (error: Error) => {
        assert.match(
          error.message,
          /^Statement 1: lake\.("?shop"?)\.(orders_position|fresh) cannot be written here: lake tables are read-only .* table of your own/i,
        );
        return true;
      });
    }
    await assert.rejects(run(`copy ${name} to '${folder}/out.csv'`), /^Failure: Statement 1: /);
    await assert.rejects(run('select * from lake.shop.nobody'), /Statement 1: .*nobody/s);
    const { rows } = await run(`select count(*) as n from ${name}`);
    assert.deepEqual(rows, [{ n: 5 }]);
    assert.deepEqual(readdirSync(join(folder, 'data/sql/1')).includes('run'), false);
  });

  it('that keep their rows as JSON are read by paths, and a query for columns says so', async () => {
    const rawColumns = [column('_olake_id', { kind: 'string' }, false), column('data', { kind: 'string' })];
    const raw = await lake.open({
      name: { database: 'shop', table: 'raw' },
      location: `${lake.folder}/shop/raw`,
      columns: rawColumns,
      identifier: '_olake_id',
      deleteMode: 'position',
    } as never);
    const unit = raw.beginUnit();
    await unit.write(batchOf(rawColumns, [['a', '{"amount":7,"who\'s":"Ann"}']] as never));
    await unit.commit('append', checkpoint(1));
    await raw.close();
    const hint =
      /lake\.shop\.raw keeps each row as JSON in the column "data", because normalization is off .* Write data->>'(\w+)' .* or turn normalization on/;
    await assert.rejects(run('select amount from lake.shop.raw'), (error: Error) => {
      assert.equal(hint.exec(error.message)?.[1], 'amount');
      return true;
    });
    await assert.rejects(
      run('select 1', 'select\n r.amount from lake.shop.raw r'),
      /^Failure: Statement 2: [^]*LINE 2/,
    );
    await assert.rejects(run('select r.amount from lake.shop.raw r'), hint);
    await run('create view raws as from lake.shop.raw');
    await assert.rejects(run('select amount from raws'), hint);
    const read = await run(`select (data->>'amount')::int as amount, data->>'who''s' as who from lake.shop.raw`);
    assert.deepEqual(read.rows, [{ amount: 7, who: 'Ann' }]);
    await assert.rejects(run('select nope from lake.shop.orders_position'), (error: Error) => {
      assert.doesNotMatch(error.message, /JSON/);
      return true;
    });
  });

  it('are looked up so that a lack of our own database is no fault of the task', async () => {
    const { call } = createTestCall({ statements: ['select count(*) from lake.shop.empty'] });
    let isReading = false;
    const reading: typeof call.attempt.reading = async (work) => {
      isReading = true;
      return work().finally(() => (isReading = false));
    };
    const open: LakeTables['open'] = async (project, name) => {
      assert.ok(isReading);
      return tables.open(project, name);
    };
    const config = { dataDir: join(folder, 'strict') };
    const strict = component({ config, world: createWorld(), lake: { open } } as unknown as ComponentPorts);
    await strict.execute({ ...call, attempt: { ...call.attempt, reading } });
  });

  it('are refused when they name files outside of their own folder', async () => {
    moved = `${lake.folder}/shop/orders_equality`;
    try {
      await assert.rejects(run('select * from lake.shop.orders_position'), /outside of its own folder/);
    } finally {
      moved = undefined;
    }
  });
});

describe('lineage of statements', () => {
  const told = component({
    config: { dataDir: join(folder, 'told'), lineageFile: '/dev/null' },
    world: createWorld(),
    lake: tables,
  } as unknown as ComponentPorts);
  const lineageOf = async (statements: readonly string[], variables: Parameters = {}) => {
    const { lineage } = (await execute(told, { statements, variables })) as SqlResult;
    const names = (datasets: readonly SqlDataset[]) =>
      datasets.map(({ namespace, name }) => `${namespace.replace(lake.folder, '…')} ${name}`).toSorted();
    return { inputs: names(lineage!.inputs), outputs: names(lineage!.outputs), lineage: lineage! };
  };
  const position = 'file:… shop.orders_position';
  const equality = 'file:… shop.orders_equality';

  it('names the lake tables that are read, by the names that syncs give them, and the tables that are written', async () => {
    const { inputs, outputs, lineage } = await lineageOf(
      [
        'create table totals as select sum(amount)::bigint as total from Lake.SHOP.orders_position where amount < :most',
        'create view seen as select * from lake.shop.orders_equality',
        "insert into totals select count(*) from seen where _olake_id = 'a'",
      ],
      { most: 100 },
    );
    assert.deepEqual([inputs, outputs], [[equality, position], ['penstock:sql/1 main.totals']]);
    assert.deepEqual(lineage.outputs[0]!.fields, [{ name: 'total', type: 'BIGINT' }]);
    assert.deepEqual(lineage.inputs[0]!.fields!.slice(0, 2), [
      { name: '_olake_id', type: 'string' },
      { name: 'amount', type: 'long' },
    ]);
  });

  it('names tables of earlier runs that are read, and no table that was only mentioned', async () => {
    const { inputs, outputs } = await lineageOf([
      'create schema if not exists mart',
      "create table mart.report as select total, 'lake.shop.orders_position' as word from totals",
      'create view unread as select * from lake.shop.orders_position',
      'create table if not exists totals (a int)',
      'create temp table passing as select * from mart.report',
      'create table gone as select 1 as a',
      'drop table gone',
    ]);
    assert.deepEqual([inputs, outputs], [['penstock:sql/1 main.totals'], ['penstock:sql/1 mart.report']]);
  });

  it('follows a table that is built beside the old one and takes its name', async () => {
    const { inputs, outputs } = await lineageOf([
      'create table mart.next as select * from lake.shop.orders_position',
      'drop table mart.report',
      'alter table mart.next rename to report',
    ]);
    assert.deepEqual([inputs, outputs], [[position], ['penstock:sql/1 mart.report']]);
  });

  it('is found in every kind of statement that changes rows, whose own table is no input', async () => {
    for (const statement of [
      'update totals set total = (select count(*) from lake.shop.orders_equality)',
      'delete from totals using lake.shop.orders_equality o where o.amount = total',
      'merge into totals using lake.shop.orders_equality o on o.amount = total when matched then delete',
      'with o as (select * from lake.shop.orders_equality) insert into project.main.totals select count(*) from o',
    ]) {
      const { inputs, outputs } = await lineageOf([statement]);
      assert.deepEqual([inputs, outputs], [[equality], ['penstock:sql/1 main.totals']], statement);
    }
    const pivot = await lineageOf([
      `create table counted as pivot lake.shop.orders_equality on "is paid" in ('true') using count(*)`,
    ]);
    assert.deepEqual([pivot.inputs, pivot.outputs], [[equality], ['penstock:sql/1 main.counted']]);
    const { rows } = (await execute(told, {
      statements: ['pivot (select "is paid" as p from lake.shop.orders_equality) on p using count(*)'],
    })) as SqlResult;
    assert.equal(rows.length, 1, 'a plan that cannot be made is no hindrance');
  });

  it('is not told where nobody listens', async () => {
    assert.equal(Object.hasOwn(await run('select count(*) from lake.shop.orders_position'), 'lineage'), false);
  });
});
