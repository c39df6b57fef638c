import assert from 'node:assert/strict';
import { utimes } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { createWorld } from '../../world.ts';
import { checkpointKeys } from '../iceberg/checkpoint.ts';
import { deleteModes } from '../iceberg/delete-modes.ts';
import type { TableMetadata } from '../iceberg/model.ts';
import { createLiveReader } from '../iceberg/live-files.ts';
import { currentSnapshot, formatMetadata } from '../iceberg/metadata.ts';
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

describe('compaction', () => {
  for (const deleteMode of deleteModes) {
    it(`leaves the same rows, in few files, after upserts by ${deleteMode}`, async (t) => {
      const lake = await lakeFor(t);
      const table = await lake.open({ identifier: '_olake_id', deleteMode });
      await write(table, load, 'append');
      for (let at = 2n; at < 8n; at++) {
        await write(table, [
          ['b', at],
          [`n${at}`, at],
          [`n${at - 1n}`, at],
          ['b', at * 10n],
        ]);
      }
      const before = await pairs(lake);
      const counts = await fileCounts(lake);
      const result = await maintain(lake, compactAll);
      assert.deepEqual(await pairs(lake), before);
      assert.deepEqual(await rawPairs(lake), before, 'the files hold the live rows and nothing else');
      assert.deepEqual(await fileCounts(lake), { data: 1, deletes: 0 });
      assert.deepEqual([result.compactedFiles, result.removedDeleteFiles], [counts.data, counts.deletes]);
      const { metadata } = await lake.open();
      const { summary } = currentSnapshot(metadata)!;
      assert.deepEqual(
        [summary.operation, summary['total-records'], summary['total-delete-files'], summary['total-equality-deletes']],
        ['replace', String(before.length), '0', '0'],
      );
      assert.deepEqual(await maintain(lake, compactAll), {
        ...result,
        compactedFiles: 0,
        writtenFiles: 0,
        removedDeleteFiles: 0,
      });
    });
  }

  it('keeps later upserts and deletes of the compacted rows working', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open({ identifier: '_olake_id' });
    await write(table, load, 'append');
    await write(table, [['b', 2n]]);
    await maintain(lake, compactAll);
    await write(table, [
      ['b', 3n],
      ['a', 3n],
    ]);
    const expected = [
      ['a', 3n],
      ['b', 3n],
      ['c', 1n],
      ['d', 1n],
    ];
    assert.deepEqual(await pairs(lake), expected);
    await maintain(lake, compactAll);
    assert.deepEqual(await rawPairs(lake), expected);
  });

  it('turns the equality deletes of a large file into position deletes instead of writing it anew', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open({ identifier: '_olake_id' });
    const many: Row[] = Array.from({ length: 3000 }, (_, at) => [`id-${String(at).padStart(5, '0')}`, 1n]);
    await write(table, many, 'append');
    await write(table, [
      ['id-00007', 2n],
      ['id-02999', 2n],
    ]);
    const before = await pairs(lake);
    const bounds = { compact: { targetFileBytes: 1000, minInputFiles: 2 } };
    const result = await maintain(lake, bounds);
    assert.deepEqual([result.compactedFiles, result.removedDeleteFiles], [0, 1]);
    assert.deepEqual(await pairs(lake), before);
    const live = await createLiveReader(lake.storage).read((await lake.open()).metadata);
    assert.deepEqual(
      live.deletes.map(({ entry }) => [entry.file.content, entry.file.records]),
      [[1, 2]],
    );
    assert.equal((await maintain(lake, bounds)).removedDeleteFiles, 0, 'once is enough');
  });

  it('stays inside partitions', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open({ identifier: '_olake_id', partition: '/{amount, identity}' });
    for (const id of ['a', 'b', 'c'])
      await write(
        table,
        [
          [id, 1n],
          [`${id}2`, 2n],
        ],
        'append',
      );
    await write(table, [['a', 2n]]);
    const before = await pairs(lake);
    await maintain(lake, compactAll);
    assert.deepEqual(await rawPairs(lake), before);
    assert.deepEqual(await fileCounts(lake), { data: 2, deletes: 0 });
    const files = (await createLiveReader(lake.storage).read((await lake.open()).metadata)).data;
    assert.deepEqual(
      files
        .map(({ entry }) => [...entry.file.partition.values()])
        .flat()
        .sort(),
      [1, 2],
    );
  });

  it('lets an upsert by equality that comes in between win', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open({ identifier: '_olake_id' });
    await write(table, load, 'append');
    await write(table, [['b', 2n]]);
    let others = 0;
    const guard = async (): Promise<void> => {
      if (others++ === 0)
        await write(table, [
          ['c', 9n],
          ['e', 9n],
        ]);
    };
    const result = await maintain(lake, compactAll, { guard });
    assert.equal(others, 2, 'the first try met the other writer');
    assert.equal(result.compactedFiles, 2, 'files that were written are not written again');
    assert.deepEqual(await pairs(lake), [
      ['a', 1n],
      ['b', 2n],
      ['c', 9n],
      ['d', 1n],
      ['e', 9n],
    ]);
  });

  it('gives up files of which another writer deletes a row by its place meanwhile', async (t) => {
    for (const deleteMode of ['position', 'copy_on_write'] as const) {
      const lake = await lakeFor(t);
      const table = await lake.open({ identifier: '_olake_id', deleteMode });
      await write(table, load, 'append');
      await write(table, [['e', 1n]], 'append');
      let others = 0;
      const guard = async (): Promise<void> => {
        if (others++ === 0) await write(table, [['c', 9n]]);
      };
      const notices: string[] = [];
      const result = await maintain(lake, compactAll, { guard, notice: (text) => notices.push(text) });
      assert.equal(result.compactedFiles, 0);
      assert.equal(notices.length, 1);
      const expected = [
        ['a', 1n],
        ['b', 1n],
        ['c', 9n],
        ['d', 1n],
        ['e', 1n],
      ];
      assert.deepEqual(await pairs(lake), expected);
      await maintain(lake, compactAll);
      assert.deepEqual(await rawPairs(lake), expected);
      await table.close();
    }
  });

  it('is refused by nothing and refuses nothing: a replacement goes over it, and it over an append', async (t) => {
    const lake = await lakeFor(t);
    const table = await lake.open({ identifier: '_olake_id' });
    await write(table, load, 'append');
    await write(table, [['e', 1n]], 'append');
    const unit = table.beginUnit();
    await unit.write(batchOf(orderColumns, [['new', 1n]]));
    await unit.commit('stage', checkpoint(3));
    let others = 0;
    const guard = async (): Promise<void> => {
      if (others++ > 0) return;
      const other = await lake.open({ checkpointKey: 'p/2/public.orders' });
      await write(other, [['f', 1n]], 'append');
    };
    const before = currentSnapshot(table.metadata);
    const result = await maintain(lake, compactAll, { guard });
    assert.equal(result.compactedFiles, 2);
    assert.ok(before);
    await assert.rejects(table.publishStaged(checkpoint(4)), { kind: 'commit_conflict' }, 'for the append, that is');
    const again = await lake.open({ identifier: '_olake_id' });
    await maintain(lake, compactAll);
    await again.publishStaged(checkpoint(4));
    assert.deepEqual(await pairs(lake), [['new', 1n]]);
  });

  it('goes on to answer the same as a map, whatever comes in whatever order', async (t) => {
    const lake = await lakeFor(t);
    const expected = new Map<string, bigint>();
    let state = 7;
    const draw = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;
    for (let round = 0; round < 12; round++) {
      const deleteMode = deleteModes[draw(3)]!;
      const table = await lake.open({ identifier: '_olake_id', deleteMode });
      for (let commit = draw(3); commit >= 0; commit--) {
        const rows: Row[] = Array.from({ length: 1 + draw(6) }, () => [`k${draw(12)}`, BigInt(draw(1000))]);
        for (const [id, amount] of rows) expected.set(String(id), amount as bigint);
        await write(table, rows);
      }
      if (draw(2) === 0) await maintain(lake, { compact: { targetFileBytes: 1 + draw(3000), minInputFiles: 2 } });
      assert.deepEqual(await pairs(lake), [...expected].sort(), `round ${round}, ${deleteMode}`);
      await table.close();
    }
    await maintain(lake, compactAll);
    assert.deepEqual(await rawPairs(lake), [...expected].sort());
  });
});

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
