import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setUp } from './destination-bench.ts';
import type { ConformanceOptions } from './destination-place.ts';
import { batchOf, checkpointOf, conformanceTable, rowsFrom, wordsOf } from './destination-rows.ts';

/** Appends and upserts. */
export function commitTests(options: ConformanceOptions): void {
  it('appended rows appear with the commit, not before, and the checkpoint with them', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    assert.equal(table.checkpoint, undefined);
    const unit = table.beginUnit();
    await unit.write(batchOf(rowsFrom(0, 5, 'w')));
    await unit.write(batchOf(rowsFrom(5, 5, 'w')));
    assert.equal(unit.rows, 10);
    assert.deepEqual(await bench.words(), []);
    const durable = await unit.commit('append', checkpointOf(1));
    assert.deepEqual([durable.rows, durable.tableRows], [10, 10]);
    assert.deepEqual(await bench.words(), wordsOf(rowsFrom(0, 10, 'w')));
    await table.close();
    const again = await (await bench.open()).openTable(conformanceTable());
    assert.deepEqual([again.checkpoint, again.rows], [checkpointOf(1), 10]);
    await again.close();
    await bench.assertTidy();
  });

  it('a commit without rows moves the checkpoint', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    await table.beginUnit().commit('append', checkpointOf(1));
    await table.close();
    const again = await (await bench.open()).openTable(conformanceTable());
    assert.deepEqual([again.checkpoint, again.rows], [checkpointOf(1), 0]);
    await again.close();
  });

  it(options.upserts ? 'an upsert replaces older rows of its keys' : 'an upsert adds rows', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    const load = table.beginUnit();
    await load.write(batchOf(rowsFrom(0, 6, 'old')));
    await load.commit('append', checkpointOf(1));
    const changes = table.beginUnit();
    await changes.write(batchOf(rowsFrom(4, 2, 'mid')));
    await changes.write(batchOf(rowsFrom(4, 4, 'new')));
    await changes.commit('upsert', checkpointOf(2));
    const expected = options.upserts
      ? [...rowsFrom(0, 4, 'old'), ...rowsFrom(4, 4, 'new')]
      : [...rowsFrom(0, 6, 'old'), ...rowsFrom(4, 2, 'mid'), ...rowsFrom(4, 4, 'new')];
    assert.deepEqual(await bench.words(), wordsOf(expected));
    await table.close();
  });
}

/** Replacing a table by what was staged. */
export function stageTests(options: ConformanceOptions): void {
  it('what is staged stays invisible until it replaces the whole table in one commit', async (t) => {
    const bench = await setUp(t, options);
    const session = await bench.open();
    const first = await session.openTable(conformanceTable());
    const load = first.beginUnit();
    await load.write(batchOf(rowsFrom(0, 6, 'old')));
    await load.commit('append', checkpointOf(1));
    const stage = first.beginUnit();
    await stage.write(batchOf(rowsFrom(10, 3, 'new')));
    assert.equal((await stage.commit('stage', checkpointOf(2))).tableRows, 6);
    assert.deepEqual(await bench.words(), wordsOf(rowsFrom(0, 6, 'old')));
    await first.close();
    await bench.assertTidy();

    const second = await (await bench.open()).openTable(conformanceTable({ run: 'r_later' }));
    assert.equal(second.checkpoint?.seq, 2);
    const more = second.beginUnit();
    await more.write(batchOf(rowsFrom(20, 3, 'new')));
    await more.commit('stage', checkpointOf(3));
    const durable = await second.publishStaged(checkpointOf(4));
    assert.deepEqual([durable.rows, durable.tableRows], [6, 6]);
    assert.deepEqual(await bench.words(), wordsOf([...rowsFrom(10, 3, 'new'), ...rowsFrom(20, 3, 'new')]));
    await second.close();
    await bench.assertTidy();
  });

  it('what was staged can be discarded', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    const stage = table.beginUnit();
    await stage.write(batchOf(rowsFrom(10, 3, 'lost')));
    await stage.commit('stage', checkpointOf(1));
    await table.discardStaged();
    const unit = table.beginUnit();
    await unit.write(batchOf(rowsFrom(0, 2, 'new')));
    await unit.commit('stage', checkpointOf(2));
    await table.publishStaged(checkpointOf(3));
    assert.deepEqual(await bench.words(), wordsOf(rowsFrom(0, 2, 'new')));
    await table.close();
    await bench.assertTidy();
  });
}
