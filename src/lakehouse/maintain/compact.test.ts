import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { deleteModes } from '../iceberg/delete-mode.ts';
import { createLiveReader } from '../iceberg/live-files.ts';
import { currentSnapshot } from '../iceberg/metadata.ts';
import type { Lake, Row } from '../iceberg/table.test-support.ts';
import { batchOf, checkpoint, openLake, orderColumns } from '../iceberg/table.test-support.ts';
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
