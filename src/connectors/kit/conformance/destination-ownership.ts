import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Failure } from '../../../errors.ts';
import { setUp } from './destination-bench.ts';
import type { ConformanceOptions } from './destination-place.ts';
import { batchOf, checkpointOf, conformanceTable, rowsFrom, wordsOf } from './destination-rows.ts';

/** Who may commit, and what a unit leaves behind. */
export function ownershipTests(options: ConformanceOptions): void {
  it('an aborted unit leaves nothing behind', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    const kept = table.beginUnit();
    await kept.write(batchOf(rowsFrom(0, 2, 'kept')));
    await kept.commit('append', checkpointOf(1));
    const unit = table.beginUnit();
    await unit.write(batchOf(rowsFrom(10, 2, 'lost')));
    await unit.abort();
    await table.close();
    assert.deepEqual(await bench.words(), wordsOf(rowsFrom(0, 2, 'kept')));
    await bench.assertTidy();
  });

  it('an attempt that lost its lease commits nothing', async (t) => {
    const bench = await setUp(t, options);
    const lost = async (): Promise<void> => {
      throw new Failure('lease_lost', 'A newer attempt owns this work.');
    };
    const owner = await (await bench.open()).openTable(conformanceTable());
    await owner.beginUnit().commit('append', checkpointOf(1));
    const table = await (await bench.open(lost)).openTable(conformanceTable());
    const unit = table.beginUnit();
    await unit.write(batchOf(rowsFrom(0, 2, 'late')));
    await assert.rejects(unit.commit('append', checkpointOf(2)), { kind: 'lease_lost' });
    await unit.abort();
    await table.close();
    const again = await (await bench.open()).openTable(conformanceTable());
    assert.deepEqual([again.checkpoint?.seq, again.rows], [1, 0]);
    await Promise.all([again.close(), owner.close()]);
    await bench.assertTidy();
  });

  it('of two attempts that both believe to own a stream, only one commits from the same state', async (t) => {
    const bench = await setUp(t, options);
    const stale = await (await bench.open()).openTable(conformanceTable());
    const late = stale.beginUnit();
    await late.write(batchOf(rowsFrom(0, 3, 'row')));
    const table = await (await bench.open()).openTable(conformanceTable());
    const unit = table.beginUnit();
    await unit.write(batchOf(rowsFrom(0, 3, 'row')));
    await unit.commit('append', checkpointOf(1));
    await assert.rejects(late.commit('append', checkpointOf(1)), Failure);
    await late.abort();
    await Promise.all([stale.close(), table.close()]);
    assert.deepEqual(await bench.words(), wordsOf(rowsFrom(0, 3, 'row')));
  });

  it('units of one table that are open at once all arrive', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    const units = [0, 1, 2].map(() => table.beginUnit());
    for (let turn = 0; turn < 3; turn++) {
      await Promise.all(units.map((unit, at) => unit.write(batchOf(rowsFrom(at * 100 + turn * 10, 10, 'w')))));
    }
    await Promise.all(units.map((unit, at) => unit.commit('append', checkpointOf(at + 1))));
    assert.deepEqual(await bench.words(), wordsOf([0, 100, 200].flatMap((first) => rowsFrom(first, 30, 'w'))));
    await table.close();
    await bench.assertTidy();
  });
}
