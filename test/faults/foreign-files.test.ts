import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import {
  batchOf,
  checkpointOf,
  conformanceTable,
  rowsFrom,
} from '../../src/connectors/kit/conformance/destination-rows.ts';
import { openPlace as openIceberg } from '../../src/connectors/iceberg/conformance/place.ts';
import { openPlace as openParquet } from '../../src/connectors/parquet/conformance/place.ts';
import { createWorld } from '../../src/world.ts';

const letters = ['letter.txt', 'photos/one.parquet', '_notes/a.md'];

for (const [name, openPlace] of Object.entries({ parquet: openParquet, iceberg: openIceberg })) {
  it(`a ${name} table that is dropped takes nothing with it that was not its own`, async (test) => {
    const folder = await mkdtemp(join(tmpdir(), 'penstock-foreign-'));
    test.after(() => rm(folder, { recursive: true, force: true }));
    const place = await openPlace(folder);
    test.after(() => place.close());
    const session = await place.open({ world: createWorld(), guard: async () => {} });
    const fill = async (): Promise<void> => {
      const opened = await session.openTable(conformanceTable());
      const unit = opened.beginUnit();
      await unit.write(batchOf(rowsFrom(0, 10, 'w')));
      await unit.commit('append', checkpointOf(1));
      await opened.close();
    };
    const home = async (): Promise<string> => {
      const all = await readdir(folder, { recursive: true, withFileTypes: true });
      const made = all.find((entry) => entry.isDirectory() && entry.name === 'rows')!;
      return join(made.parentPath, made.name);
    };
    await fill();
    const table = await home();
    for (const letter of letters) {
      await mkdir(join(table, letter, '..'), { recursive: true });
      await writeFile(join(table, letter), 'mine');
    }
    assert.equal(await session.dropTable(conformanceTable().name), true);
    const left = await readdir(table, { recursive: true, withFileTypes: true });
    const files = left.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    assert.deepEqual(files.toSorted(), letters.map((letter) => join(table, letter)).toSorted());
    await rm(table, { recursive: true });
    await fill();
    assert.equal(await session.dropTable(conformanceTable().name), true);
    await assert.rejects(readdir(table), { code: 'ENOENT' });
    await session.close();
  });
}
