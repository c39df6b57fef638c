import assert from 'node:assert/strict';
import { utimes } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { createWorld } from '../../world.ts';
import { createPointerTables } from '../catalog/index.ts';
import { checkpointKeys } from '../iceberg/checkpoint.ts';
import type { TableMetadata } from '../iceberg/model.ts';
import { formatMetadata } from '../iceberg/metadata.ts';
import { referencedFiles } from '../iceberg/recovery.ts';
import type { Lake, Row } from '../iceberg/table.test-support.ts';
import { batchOf, checkpoint, name, openLake, orderColumns } from '../iceberg/table.test-support.ts';
import { compactAll, fileCounts, maintain, pairs, rawPairs, write } from './maintain.test-support.ts';

async function lakeFor(context: TestContext): Promise<Lake> {
  const lake = await openLake();
  context.after(() => lake.close());
  return lake;
}

const load: Row[] = ['a', 'b', 'c', 'd'].map((id) => [id, 1n]);

/** A change that another engine commits. */
async function commitForeign(lake: Lake, change: (metadata: TableMetadata) => TableMetadata): Promise<void> {
  const table = await lake.open();
  const location = `${table.metadata.location}/metadata/99999-foreign.metadata.json`;
  await lake.storage.put(location, formatMetadata(change(table.metadata)));
  assert.ok(await lake.catalog.swap(name, { expected: table.metadataLocation, next: location }));
}

const everything = {
  compact: { targetFileBytes: 64 << 20, minInputFiles: 2 },
  expireSnapshots: { olderThanMs: -1000, keepAtLeast: 1 },
};

async function filesOf(lake: Lake): Promise<string[]> {
  const { metadata } = await lake.open();
  return (await lake.storage.list(metadata.location)).filter((path) => !path.endsWith('.open'));
}

describe('expiry of snapshots', () => {
  it('removes the files that only old snapshots lead to; the checkpoint stays', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open({ identifier: '_olake_id' });
    await write(table, load, 'append');
    for (let at = 2n; at < 6n; at++) await write(table, [['b', at]]);
    await table.close();
    const before = await pairs(lake);
    const result = await maintain(lake, everything);
    assert.equal(result.expiredSnapshots, 5);
    assert.deepEqual(await pairs(lake), before);
    const after = await lake.open({ identifier: '_olake_id' });
    assert.equal(after.checkpoint?.seq, 5);
    assert.equal(after.metadata.snapshots.length, 1);
    assert.equal(after.metadata['snapshot-log'].length, 1);
    const left = (await filesOf(lake)).filter((path) => !path.endsWith('.metadata.json'));
    assert.equal(left.length, 5, `a data file, its manifest, two of what was deleted, a list: ${left.join(' ')}`);
    assert.ok(result.removedFiles > 10 && result.removedBytes > 1000);
    await write(after, [['b', 7n]]);
    assert.equal((await pairs(lake)).length, 4);
  });

  it('keeps what a tag points at, and at least as many as asked for', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open();
    for (let at = 0; at < 6; at++) await write(table, [[`id${at}`, 1n]], 'append');
    const tagged = table.metadata.snapshots[1]!['snapshot-id'];
    await table.close();
    await commitForeign(lake, (metadata) => ({
      ...metadata,
      refs: { ...metadata.refs, audit: { 'snapshot-id': tagged, type: 'tag' } },
    }));
    const policy = { expireSnapshots: { olderThanMs: -1000, keepAtLeast: 2 } };
    assert.equal((await maintain(lake, policy)).expiredSnapshots, 3);
    const { metadata } = await lake.open();
    assert.deepEqual(metadata.snapshots[0]!['snapshot-id'], tagged);
    assert.equal(metadata.snapshots.length, 3);
    await maintain(lake, compactAll);
    await maintain(lake, policy);
    const named = await referencedFiles(lake.storage, { location: '', metadata: (await lake.open()).metadata });
    const present = new Set((await filesOf(lake)).map((path) => path.slice(path.lastIndexOf('/') + 1)));
    for (const file of named)
      if (file.endsWith('.parquet')) assert.ok(present.has(file), `${file} of the tag is there`);
    assert.equal(
      (await maintain(lake, { expireSnapshots: { olderThanMs: 3_600_000, keepAtLeast: 1 } })).expiredSnapshots,
      0,
    );
  });
});

async function age(lake: Lake, days: number): Promise<void> {
  const then = Date.now() / 1000 - days * 86_400;
  for (const path of await lake.storage.list(lake.folder)) {
    if (!path.includes('catalog.db')) await utimes(path, then, then);
  }
}

describe('removal of orphans', () => {
  const orphans = { removeOrphans: { olderThanMs: 3 * 86_400_000 } };

  it('removes old files that nothing names, and no other', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open({ identifier: '_olake_id' });
    await write(table, load, 'append');
    await write(table, [['b', 2n]]);
    const unit = table.beginUnit();
    await unit.write(batchOf(orderColumns, [['s', 1n]]));
    await unit.commit('stage', checkpoint(3));
    await table.close();
    const good = await filesOf(lake);
    const { location } = table.metadata;
    for (const path of [
      'data/x.parquet',
      'data/region=eu/.y.parquet.tmp',
      'metadata/old.avro',
      'metadata/7-z.metadata.json',
    ]) {
      await lake.storage.put(`${location}/${path}`, Buffer.from('left'));
    }
    await lake.storage.put(`${location}/notes/mine.txt`, Buffer.from('left'));
    assert.equal((await maintain(lake, orphans)).removedFiles, 0, 'young files may be somebody’s work');
    await age(lake, 4);
    await lake.storage.put(`${location}/data/young.parquet`, Buffer.from('left'));
    assert.equal((await maintain(lake, orphans)).removedFiles, 4);
    const kept = [...good, `${location}/data/young.parquet`, `${location}/notes/mine.txt`].sort();
    assert.deepEqual(await filesOf(lake), kept);
    const again = await lake.open({ identifier: '_olake_id' });
    await again.publishStaged(checkpoint(4));
    assert.deepEqual(await pairs(lake), [['s', 1n]]);
  });

  it('spares the files of an attempt that is at work, until it has been silent for a week', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open({ targetFileBytes: 1 });
    await write(table, load, 'append');
    const unit = table.beginUnit();
    await unit.write(batchOf(orderColumns, [['late', 1n]]));
    const twin = table.beginUnit();
    await twin.write(batchOf(orderColumns, [['later', 1n]]));
    await age(lake, 4);
    await maintain(lake, orphans);
    await unit.commit('append', checkpoint(2));
    assert.equal((await pairs(lake)).length, 5);
    await age(lake, 8);
    assert.equal((await maintain(lake, orphans)).removedFiles, 1);
  });
});

describe('upkeep', () => {
  it('of a table that does not exist says so', async (t) => {
    const lake = await lakeFor(t);
    assert.equal(await maintain(lake, everything), undefined);
  });

  it('of a table with a column that is never written here does all but compaction, and says so', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open();
    await write(table, load, 'append');
    await write(table, [['e', 1n]], 'append');
    await table.close();
    await commitForeign(lake, (metadata) => ({
      ...metadata,
      schemas: metadata.schemas.map((schema) => ({
        ...schema,
        fields: [...schema.fields, { id: 9, name: 'born', required: false, type: 'date' }],
      })),
    }));
    const notices: string[] = [];
    const result = await maintain(lake, everything, { notice: (text) => notices.push(text) });
    assert.deepEqual([result.compactedFiles, result.expiredSnapshots], [0, 1]);
    assert.match(notices.join(), /"born"/);
    assert.equal((await pairs(lake)).length, 5);
  });

  it('that a newer one has overtaken commits nothing', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open();
    await write(table, load, 'append');
    await write(table, [['e', 1n]], 'append');
    let calls = 0;
    const guard = async (): Promise<void> => {
      if (calls++ === 0) await maintain(lake, compactAll);
    };
    await assert.rejects(maintain(lake, compactAll, { guard, world: createWorld() }), { kind: 'lease_lost' });
    assert.equal((await pairs(lake)).length, 5);
    const keys = checkpointKeys('penstock/upkeep/table');
    assert.ok((await lake.open()).metadata.properties[keys.attempt]);
  });

  it('finds out whether a commit happened whose answer was lost, and leaves its files if it cannot', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open({ identifier: '_olake_id' });
    await write(table, load, 'append');
    await write(table, [['b', 2n]]);
    await table.close();
    const before = await pairs(lake);
    const pointers = lake.catalog;
    let isDeaf = false;
    const catalog: typeof pointers = {
      ...pointers,
      load: async (of) => (isDeaf ? Promise.reject(new Error('connection reset')) : pointers.load(of)),
      async swap(of, change) {
        await pointers.swap(of, change);
        isDeaf = true;
        throw new Error('connection reset');
      },
    };
    const tables = createPointerTables({ storage: lake.storage, world: lake.world, catalog });
    await assert.rejects(maintain(lake, compactAll, { catalog: tables }), { kind: 'connection_lost' });
    assert.deepEqual(await pairs(lake), before);
    assert.deepEqual(await rawPairs(lake), before, 'the commit had happened');
    isDeaf = false;
    await write(await lake.open({ identifier: '_olake_id' }), [['c', 3n]]);
    const forgetful = createPointerTables({
      storage: lake.storage,
      world: lake.world,
      catalog: { ...catalog, load: pointers.load },
    });
    assert.equal((await maintain(lake, compactAll, { catalog: forgetful })).compactedFiles, 2);
  });

  it('stops when it is told to', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open({ identifier: '_olake_id' });
    await write(table, load, 'append');
    await write(table, [['b', 2n]]);
    const signal = AbortSignal.abort();
    await assert.rejects(maintain(lake, everything, { signal }), { name: 'AbortError' });
    assert.deepEqual(await fileCounts(lake), { data: 2, deletes: 1 });
  });
});
