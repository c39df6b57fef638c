import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { DestinationTable, SealedUnit } from '../index.ts';
import { setUp } from './destination-bench.ts';
import type { Bench } from './destination-bench.ts';
import type { ConformanceOptions } from './destination-place.ts';
import type { ConformanceRow } from './destination-rows.ts';
import { batchOf, checkpointOf, conformanceTable, rowsFrom, wordsOf } from './destination-rows.ts';

/** Units that one process writes and another commits. Both sides speak JSON, as they do across processes. */
export function sharingTests(options: ConformanceOptions): void {
  it('a unit that another session sealed becomes visible when it is adopted and committed', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    const sealed = await sealElsewhere(bench, table, rowsFrom(0, 5, 'far'));
    assert.equal(sealed.rows, 5);
    assert.ok(sealed.bytes > 0);
    assert.deepEqual(await bench.words(), []);
    const unit = await table.adoptUnit(sealed);
    assert.equal(unit.rows, 5);
    const near = table.beginUnit();
    await near.write(batchOf(rowsFrom(10, 5, 'near')));
    await near.commit('append', checkpointOf(1));
    const durable = await unit.commit('append', checkpointOf(2));
    assert.deepEqual([durable.rows, durable.tableRows], [5, 10]);
    assert.deepEqual(await bench.words(), wordsOf([...rowsFrom(0, 5, 'far'), ...rowsFrom(10, 5, 'near')]));
    await table.close();
    await (await (await bench.open()).openTable(conformanceTable())).close();
    await bench.assertTidy();
  });

  it('rows of a sealed unit are read back at the places that their writer told', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    const writer = await (await bench.open()).joinTable(conformanceTable(), asJson(table.ticket));
    const unit = writer.beginUnit();
    const place = await unit.write(batchOf(rowsFrom(3, 4, 'far')));
    const sealed = asJson(await unit.seal());
    const adopted = await table.adoptUnit(sealed);
    const at = asJson([{ file: place.file, row: place.firstRow + 2 }]);
    await adopted.commit('append', checkpointOf(1));
    assert.deepEqual((await table.readRows(at))[0]!.slice(1, 3), ['5', 'far-5']);
    await writer.close();
    await table.close();
  });

  it('sealed units are staged and published with those of the committer', async (t) => {
    const bench = await setUp(t, options);
    const first = await (await bench.open()).openTable(conformanceTable());
    const old = first.beginUnit();
    await old.write(batchOf(rowsFrom(0, 3, 'old')));
    await old.commit('append', checkpointOf(1));
    await (
      await first.adoptUnit(await sealElsewhere(bench, first, rowsFrom(10, 3, 'far')))
    ).commit('stage', checkpointOf(2));
    await first.close();
    const second = await (await bench.open()).openTable(conformanceTable());
    const near = second.beginUnit();
    await near.write(batchOf(rowsFrom(20, 3, 'near')));
    await near.commit('stage', checkpointOf(3));
    const durable = await second.publishStaged(checkpointOf(4));
    assert.deepEqual([durable.rows, durable.tableRows], [6, 6]);
    assert.deepEqual(await bench.words(), wordsOf([...rowsFrom(10, 3, 'far'), ...rowsFrom(20, 3, 'near')]));
    await second.close();
    await bench.assertTidy();
  });

  it(options.upserts ? 'an adopted upsert replaces older rows' : 'an adopted upsert adds rows', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    const load = table.beginUnit();
    await load.write(batchOf(rowsFrom(0, 4, 'old')));
    await load.commit('append', checkpointOf(1));
    const unit = await table.adoptUnit(await sealElsewhere(bench, table, rowsFrom(2, 4, 'far')));
    await unit.commit('upsert', checkpointOf(2));
    const expected = [...rowsFrom(0, options.upserts ? 2 : 4, 'old'), ...rowsFrom(2, 4, 'far')];
    assert.deepEqual(await bench.words(), wordsOf(expected));
    await table.close();
  });

  it('a partitioned table takes sealed units', async (t) => {
    const bench = await setUp(t, options);
    const wanted = conformanceTable({ partition: options.partition });
    const table = await (await bench.open()).openTable(wanted);
    const writer = await (await bench.open()).joinTable(wanted, asJson(table.ticket));
    const unit = writer.beginUnit();
    await unit.write(batchOf(rowsFrom(0, 6, 'far')));
    await (await table.adoptUnit(asJson(await unit.seal()))).commit('append', checkpointOf(1));
    assert.deepEqual(await bench.words(), wordsOf(rowsFrom(0, 6, 'far')));
    await table.close();
  });

  it('a unit without rows, and one that is aborted on either side, leave nothing behind', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    const writer = await (await bench.open()).joinTable(conformanceTable(), asJson(table.ticket));
    const empty = asJson(await writer.beginUnit().seal());
    assert.equal(empty.rows, 0);
    await (await table.adoptUnit(empty)).commit('append', checkpointOf(1));
    const given = writer.beginUnit();
    await given.write(batchOf(rowsFrom(0, 2, 'lost')));
    await given.abort();
    const refused = writer.beginUnit();
    await refused.write(batchOf(rowsFrom(3, 2, 'lost')));
    await refused.seal();
    await refused.abort();
    await (await table.adoptUnit(await sealElsewhere(bench, table, rowsFrom(5, 2, 'lost')))).abort();
    await table.close();
    assert.deepEqual(await bench.words(), []);
    await bench.assertTidy();
  });

  it('what a writer left that died is gone after the next opening, whether it had sealed or not', async (t) => {
    const bench = await setUp(t, options);
    const table = await (await bench.open()).openTable(conformanceTable());
    const writer = await (await bench.open()).joinTable(conformanceTable(), asJson(table.ticket));
    await writer.beginUnit().write(batchOf(rowsFrom(0, 2, 'open')));
    await sealElsewhere(bench, table, rowsFrom(5, 2, 'sealed'));
    const unit = table.beginUnit();
    await unit.write(batchOf(rowsFrom(10, 2, 'kept')));
    await unit.commit('append', checkpointOf(1));
    await table.close();
    await (await (await bench.open()).openTable(conformanceTable())).close();
    assert.deepEqual(await bench.words(), wordsOf(rowsFrom(10, 2, 'kept')));
    await bench.assertTidy();
  });

  it('a unit that was sealed for an earlier opening is refused', async (t) => {
    const bench = await setUp(t, options);
    const stale = await (await bench.open()).openTable(conformanceTable());
    const sealed = await sealElsewhere(bench, stale, rowsFrom(0, 2, 'late'));
    const table = await (await bench.open()).openTable(conformanceTable());
    await assert.rejects(table.adoptUnit(sealed));
    await table.close();
    assert.deepEqual(await bench.words(), []);
  });
}

/** Writes the rows in another session of the destination and seals them. */
async function sealElsewhere(
  bench: Bench,
  table: DestinationTable,
  rows: readonly ConformanceRow[],
): Promise<SealedUnit> {
  const writer = await (await bench.open()).joinTable(conformanceTable(), asJson(table.ticket));
  const unit = writer.beginUnit();
  await unit.write(batchOf(rows));
  const sealed = asJson(await unit.seal());
  await writer.close();
  return sealed;
}

const asJson = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;
