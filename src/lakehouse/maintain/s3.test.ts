import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startS3 } from '../../../test/support/s3.ts';
import { createPointerTables } from '../catalog/index.ts';
import { openIcebergTable } from '../iceberg/table.ts';
import { batchOf, checkpoint, name, openLake, orderColumns } from '../iceberg/table.test-support.ts';
import { scanLiveRows } from '../iceberg/scan.ts';
import { createStorage } from '../storage/index.ts';
import { readRows } from '../../columns/index.ts';
import { maintain } from './maintain.test-support.ts';

describe('upkeep of a table in S3', () => {
  it('leaves the live rows, the files that hold them, and no others', async (t) => {
    const s3 = await startS3();
    t.after(() => s3.close());
    const lake = await openLake();
    t.after(() => lake.close());
    const { world } = lake;
    const storage = createStorage({ world, s3: s3.settings });
    const location = `s3://${await s3.makeBucket()}/lake/shop/orders`;
    const catalog = createPointerTables({ storage, world, catalog: lake.catalog });
    const table = await openIcebergTable({
      storage,
      world,
      catalog,
      name,
      guard: async () => {},
      location,
      columns: orderColumns,
      identifierFields: true,
      identifier: '_olake_id',
      deleteMode: 'position',
      checkpointKey: 'p/1/public.orders',
      run: 'run-1',
      codec: 'zstd',
      targetFileBytes: 64 << 20,
    });
    for (let seq = 1; seq <= 4; seq++) {
      const unit = table.beginUnit();
      await unit.write(
        batchOf(orderColumns, [
          ['same', BigInt(seq)],
          [`own-${seq}`, 1n],
        ]),
      );
      await unit.commit('upsert', checkpoint(seq));
    }
    await table.close();
    await storage.put(`${location}/data/left.parquet`, Buffer.from('left'));
    const policy = {
      compact: { targetFileBytes: 1 << 20, minInputFiles: 2 },
      expireSnapshots: { olderThanMs: -1000, keepAtLeast: 1 },
      removeOrphans: { olderThanMs: -60_000 },
    };
    const result = await maintain(lake, policy, { storage, catalog });
    assert.deepEqual([result.compactedFiles, result.writtenFiles, result.expiredSnapshots], [4, 1, 4]);
    const parquet = (await storage.list(location)).filter((path) => path.endsWith('.parquet'));
    assert.equal(parquet.length, 1, parquet.join(' '));
    const now = (await catalog.load(name))!;
    const ids: unknown[] = [];
    const sink = async (batch: Parameters<Parameters<typeof scanLiveRows>[2]['sink']>[0]): Promise<void> => {
      ids.push(...readRows(batch.columns[0]!, batch.rows));
    };
    await scanLiveRows({ storage }, now.metadata, { columns: ['_olake_id'], sink });
    assert.deepEqual(ids.sort(), ['own-1', 'own-2', 'own-3', 'own-4', 'same']);
  });
});
