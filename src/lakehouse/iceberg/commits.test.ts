import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import type { Column } from '../../columns/index.ts';
import { createWorld } from '../../world.ts';
import { loadTable } from '../catalog/index.ts';
import { checkpointKeys } from './checkpoint.ts';
import { formatMetadata, withProperties } from './metadata.ts';
import type { TableMetadata } from './model.ts';
import { readEntries, readManifests } from './manifest-files.ts';
import type { IcebergTable } from './state.ts';
import type { Lake, Row } from './table.test-support.ts';
import { batchOf, checkpoint, name, openLake, orderColumns, readIndependently } from './table.test-support.ts';

async function lakeFor(context: TestContext): Promise<Lake> {
  const lake = await openLake();
  context.after(() => lake.close());
  return lake;
}

async function append(table: IcebergTable, seq: number, rows: readonly Row[]): Promise<void> {
  const unit = table.beginUnit();
  await unit.write(batchOf(orderColumns, rows));
  await unit.commit('append', checkpoint(seq));
}

async function stage(table: IcebergTable, seq: number, rows: readonly Row[]): Promise<void> {
  const unit = table.beginUnit();
  await unit.write(batchOf(orderColumns, rows));
  await unit.commit('stage', checkpoint(seq));
}

const idsOf = async (table: IcebergTable): Promise<unknown[]> =>
  (await readIndependently(table.metadata)).map((row) => row['_olake_id']).sort();

/** A change that another engine commits: new metadata, swapped in through the catalog. */
async function commitForeign(lake: Lake, change: (metadata: TableMetadata) => TableMetadata): Promise<void> {
  const current = (await loadTable({ ...lake, name }))!;
  const location = `${current.metadata.location}/metadata/99999-foreign.metadata.json`;
  await lake.storage.put(location, formatMetadata(change(current.metadata)));
  assert.ok(await lake.catalog.swap(name, { expected: current.location, next: location }));
}

describe('commits of several writers', () => {
  it('appends of two jobs to one table both arrive, and data files and manifests are written once', async (t) => {
    const lake = await lakeFor(t);
    const points: string[] = [];
    const world = createWorld({ onPoint: (point) => points.push(point) });
    const first = await lake.open();
    const second = await lake.open({ checkpointKey: 'p/2/public.orders', world });
    const unit = second.beginUnit();
    await unit.write(batchOf(orderColumns, [['b', 2n]]));
    await append(first, 1, [['a', 1n]]);
    points.length = 0;
    await unit.commit('append', checkpoint(1, { job: 'p/2' }));
    const times = (point: string): number => points.filter((one) => one === point).length;
    assert.deepEqual([times('iceberg.data-file-written'), times('iceberg.manifest-written')], [1, 1]);
    assert.deepEqual([times('iceberg.manifest-list-written'), times('iceberg.metadata-written')], [2, 2]);
    assert.deepEqual(await idsOf(second), ['a', 'b']);
    assert.deepEqual(
      second.metadata.snapshots.map((snapshot) => snapshot['sequence-number']),
      [1, 2],
    );
    const files = await lake.storage.list(`${lake.folder}/shop/orders/metadata`);
    const named = new Set([
      second.metadataLocation,
      ...second.metadata['metadata-log'].map((one) => one['metadata-file']),
    ]);
    const left = files.filter((path) => path.endsWith('.json') && !named.has(path));
    assert.deepEqual(left, [], 'the try that lost leaves no metadata behind');
    await append(first, 2, [['c', 3n]]);
    assert.deepEqual(await idsOf(first), ['a', 'b', 'c']);
  });

  it('a replacement refuses to drop rows that another writer added meanwhile', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open();
    await stage(table, 1, [['new', 1n]]);
    const other = await lake.open({ checkpointKey: 'p/2/public.orders' });
    await append(other, 1, [['foreign', 1n]]);
    await assert.rejects(table.publishStaged(checkpoint(2)), { kind: 'commit_conflict' });
    const now = await lake.open();
    assert.deepEqual(await idsOf(now), ['foreign']);
    await now.publishStaged(checkpoint(2));
    assert.deepEqual(await idsOf(now), ['new']);
  });

  it('an older attempt of the same job commits nothing after a newer one has', async (t) => {
    const lake = await lakeFor(t);
    const older = await lake.open();
    const newer = await lake.open();
    await append(newer, 1, [['a', 1n]]);
    await assert.rejects(append(older, 1, [['a', 1n]]), { kind: 'lease_lost' });
    assert.deepEqual(await idsOf(newer), ['a']);
  });

  it('a table that was dropped and made again is another table', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open();
    await lake.catalog.drop(name);
    await lake.open({ location: `${lake.folder}/shop/again` });
    await assert.rejects(append(table, 1, [['a', 1n]]), { kind: 'commit_conflict' });
  });

  it('a foreign commit keeps ids beyond 2^53 and members that we do not know', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open();
    await commitForeign(lake, (metadata) => ({
      ...withProperties(metadata, { 'engine.note': 'kept' }),
      statistics: [{ 'snapshot-id': 2n ** 62n + 1n }],
    }));
    await append(table, 1, [['a', 1n]]);
    const text = (await lake.storage.read(table.metadataLocation))!.toString();
    assert.ok(text.includes('"statistics":[{"snapshot-id":4611686018427387905}]'));
    assert.equal(table.metadata.properties['engine.note'], 'kept');
  });

  it('a lost answer of the catalog is found out by looking', async (t) => {
    const lake = await lakeFor(t);
    const catalog = {
      ...lake.catalog,
      async swap(...swap: Parameters<typeof lake.catalog.swap>): Promise<boolean> {
        await lake.catalog.swap(...swap);
        throw new Error('connection reset');
      },
    };
    await (await lake.open()).close();
    const table = await lake.open({ catalog });
    await append(table, 1, [['a', 1n]]);
    assert.deepEqual([table.checkpoint?.seq, table.rows], [1, 1]);
    assert.deepEqual(await idsOf(table), ['a']);
  });

  it('after an unknown outcome an abort keeps the files', async (t) => {
    const lake = await lakeFor(t);
    await (await lake.open()).close();
    const deaf = async (): Promise<never> => {
      throw new Error('connection reset');
    };
    let broken = false;
    const load: typeof lake.catalog.load = (of) => (broken ? deaf() : lake.catalog.load(of));
    const swap: typeof lake.catalog.swap = async (of, change) => {
      await lake.catalog.swap(of, change);
      broken = true;
      return deaf();
    };
    const table = await lake.open({ catalog: { ...lake.catalog, load, swap } });
    const unit = table.beginUnit();
    await unit.write(batchOf(orderColumns, [['a', 1n]]));
    await assert.rejects(unit.commit('append', checkpoint(1)), { kind: 'connection_lost' });
    await unit.abort();
    await table.close();
    const after = await lake.open();
    assert.deepEqual(await idsOf(after), ['a']);
    assert.equal(after.checkpoint?.seq, 1);
  });
});

describe('the checkpoint of a table', () => {
  it('goes with the snapshot, and mirrors in a property', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open();
    await append(table, 1, [['a', 1n]]);
    const { summary } = table.metadata.snapshots[0]!;
    assert.deepEqual(JSON.parse(summary['penstock.checkpoint']!), checkpoint(1));
    assert.equal(summary['penstock.run'], 'run-1');
    assert.deepEqual(JSON.parse(table.metadata.properties['penstock.checkpoint.p.1.public.orders']!), checkpoint(1));
  });

  it('goes back when the table is rolled back by hand, and forward again from there', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open();
    await append(table, 1, [['a', 1n]]);
    await append(table, 2, [['b', 1n]]);
    const [first] = table.metadata.snapshots;
    await commitForeign(lake, (metadata) => ({
      ...metadata,
      'current-snapshot-id': first!['snapshot-id'],
      refs: { main: { type: 'branch', 'snapshot-id': first!['snapshot-id'] } },
    }));
    const back = await lake.open();
    assert.equal(back.checkpoint?.seq, 1);
    await stage(back, 2, [['c', 1n]]);
    await back.close();
    assert.equal((await lake.open()).checkpoint?.seq, 2);
  });

  it('of any length fits: a long one stays out of the snapshot', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open();
    const unit = table.beginUnit();
    await unit.write(batchOf(orderColumns, [['a', 1n]]));
    const long = checkpoint(1, { boundary: Array.from({ length: 9000 }, (_, at) => `hash-${at}`) });
    await unit.commit('append', long);
    assert.equal(table.metadata.snapshots[0]!.summary['penstock.checkpoint'], undefined);
    assert.deepEqual((await lake.open()).checkpoint, long);
  });

  it('names its properties by project, job and stream', () => {
    assert.equal(checkpointKeys('p/7/ns.a/b').checkpoint, 'penstock.checkpoint.p.7.ns.a/b');
  });
});

describe('files of a table', () => {
  const wide: readonly Column[] = [
    ...orderColumns,
    { name: 'price', type: { kind: 'decimal', precision: 38, scale: 10 }, nullable: true },
    { name: 'at', type: { kind: 'timestamp' }, nullable: true },
    { name: 'ratio', type: { kind: 'double' }, nullable: true },
    { name: 'ok', type: { kind: 'boolean' }, nullable: true },
  ];

  it('hold every digit, and manifests say counts and bounds', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open({ columns: wide, partition: '/{at, month}' });
    const unit = table.beginUnit();
    const digits = 12345678901234567890123456789012345678n;
    const at = 1_700_000_000_123_456n;
    const place = await unit.write(
      batchOf(wide, [
        ['a', 2n ** 63n - 1n, digits, at, Number.NaN, true],
        ['b'.repeat(20), -(2n ** 63n), -digits, at + 1n, 0.1, null],
        ['c', null, null, null, null, false],
      ]),
    );
    await unit.commit('append', checkpoint(1));
    assert.deepEqual(await table.readRows([0, 1, 2].map((row) => place.placeOf!(row))), [
      [
        'a',
        '9223372036854775807',
        '1234567890123456789012345678.9012345678',
        '2023-11-14T22:13:20.123456Z',
        'NaN',
        'true',
      ],
      [
        'b'.repeat(20),
        '-9223372036854775808',
        '-1234567890123456789012345678.9012345678',
        '2023-11-14T22:13:20.123457Z',
        '0.1',
        null,
      ],
      ['c', null, null, null, null, 'false'],
    ]);
    const [manifest] = await readManifests(lake.storage, table.metadata.snapshots[0]);
    const entries = await readEntries(lake.storage, manifest!);
    const dated = entries.find((entry) => entry.file.records === 2)!.file;
    assert.deepEqual([dated.nullCounts.get(2), dated.nanCounts.get(5), dated.valueCounts.get(3)], [0, 1, 2]);
    assert.equal(Buffer.from(dated.upperBounds.get(1)!).toString(), `${'b'.repeat(15)}c`);
    assert.equal(Buffer.from(dated.lowerBounds.get(2)!).readBigInt64LE(), -(2n ** 63n));
    assert.deepEqual([...dated.partition.values()], [53 * 12 + 10]);
    assert.equal(manifest!.partitions![0]!.containsNull, true);
    const rows = await readIndependently(table.metadata);
    assert.deepEqual(
      rows.map((row) => row['amount'] ?? null),
      [2n ** 63n - 1n, -(2n ** 63n), null],
    );
  });

  it('of an older schema are read under the newer one', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open({ columns: wide.slice(0, 2) });
    await append(table, 1, [['a', 1n]]);
    await table.close();
    const later = await lake.open({ columns: wide });
    const unit = later.beginUnit();
    await unit.write(batchOf(wide, [['b', 2n, 5n, 7n, 1.5, true]]));
    await unit.commit('append', checkpoint(2));
    assert.equal(later.metadata['last-column-id'], 6);
    assert.equal(later.metadata.schemas.length, 2);
    const rows = await readIndependently(later.metadata);
    assert.deepEqual(rows.map((row) => [row['_olake_id'], row['ratio'] ?? null]).sort(), [
      ['a', null],
      ['b', 1.5],
    ]);
    await assert.rejects(lake.open({ columns: [wide[0]!, { ...wide[1]!, type: { kind: 'string' } }] }), {
      kind: 'configuration_invalid',
    });
  });

  it('are bounded for metadata: the log keeps a hundred and older files go', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open();
    for (let seq = 1; seq <= 105; seq++) await table.beginUnit().commit('append', checkpoint(seq));
    assert.equal(table.metadata['metadata-log'].length, 100);
    const files = await lake.storage.list(`${lake.folder}/shop/orders/metadata`);
    assert.equal(files.filter((path) => path.endsWith('.metadata.json')).length, 101);
  });
});
