import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { basename } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createWorld } from '../../world.ts';
import { icebergStoppingPoints } from '../iceberg/points.ts';
import { referencedFiles } from '../iceberg/recovery.ts';
import type { Lake } from '../iceberg/table.test-support.ts';
import { openLake } from '../iceberg/table.test-support.ts';
import { fileCounts, maintain, pairs, rawPairs, write } from './maintain.test-support.ts';
import { upkeepStoppingPoints } from './points.ts';
import { everything } from './upkeep.test-support.ts';

const script = fileURLToPath(import.meta.resolve('./upkeep.test-support.ts'));

const expected = [
  ['a', 1n],
  ['b', 5n],
  ['c', 4n],
  ['d', 3n],
];

/** A table with small files and both kinds of deletes, and a file that nothing names. */
async function wornLake(t: TestContext): Promise<Lake> {
  const lake = await openLake();
  t.after(() => lake.close());
  const table = await lake.open({ identifier: '_olake_id' });
  await write(
    table,
    ['a', 'b', 'c'].map((id) => [id, 1n]),
    'append',
  );
  await write(table, [
    ['d', 2n],
    ['d', 3n],
  ]);
  await write(table, [['c', 4n]]);
  await write(table, [['b', 5n]]);
  await table.close();
  await lake.storage.put(`${lake.folder}/shop/orders/data/left.parquet`, Buffer.from('left'));
  return lake;
}

/** The points that one upkeep of such a table comes by, with how often. */
async function pointsOfUpkeep(t: TestContext): Promise<Map<string, number>> {
  const lake = await wornLake(t);
  const reached = new Map<string, number>();
  const world = createWorld({ onPoint: (point) => reached.set(point, (reached.get(point) ?? 0) + 1) });
  await maintain(lake, everything, { world });
  return reached;
}

describe('upkeep that is killed', () => {
  it('comes by no point that is not declared, and by all of its own', async (t) => {
    const reached = await pointsOfUpkeep(t);
    const declared: readonly string[] = [...icebergStoppingPoints, ...upkeepStoppingPoints];
    assert.deepEqual(
      [...reached.keys()].filter((point) => !declared.includes(point)),
      [],
    );
    for (const point of upkeepStoppingPoints) assert.ok(reached.has(point), point);
  });

  it('at any point leaves the rows as they were, and the next one finishes its work', async (t) => {
    for (const [point, times] of await pointsOfUpkeep(t)) {
      for (const at of new Set([1, times])) {
        const lake = await wornLake(t);
        const child = spawn(process.execPath, [script, lake.folder, `${point}:${at}`], { stdio: 'inherit' });
        const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
        assert.equal(signal, 'SIGKILL', `${point}:${at} is reached`);
        assert.deepEqual(await pairs(lake), expected, `right after ${point}:${at}`);
        await maintain(lake, everything);
        assert.deepEqual(await rawPairs(lake), expected, `after ${point}:${at}`);
        assert.deepEqual(await fileCounts(lake), { data: 1, deletes: 0 });
        const { metadata, metadataLocation } = await lake.open();
        const named = await referencedFiles(lake.storage, { metadata, location: metadataLocation });
        const found = (await lake.storage.list(metadata.location, { unfinished: true })).map((path) => basename(path));
        assert.deepEqual(
          found.filter((file) => !named.has(file)),
          [],
          `no file is left after ${point}:${at}`,
        );
      }
    }
  });
});
