/** Appends and upserts in a process of its own, which dies at a stopping point. Arguments: folder, point (`name:n`), delete mode. */
import type { DeleteMode } from './delete-mode.ts';
import { createWorld } from '../../world.ts';
import { batchOf, checkpoint, openLake, orderColumns } from './table.test-support.ts';
import type { Lake } from './table.test-support.ts';

/** Goes on from the table's checkpoint to the end: three rows, then changes of two of them and a new one. */
export async function upsertToTheEnd(lake: Lake, deleteMode: DeleteMode): Promise<void> {
  const table = await lake.open({ identifier: '_olake_id', deleteMode });
  const seq = table.checkpoint?.seq ?? 0;
  if (seq < 1) {
    const unit = table.beginUnit();
    await unit.write(
      batchOf(
        orderColumns,
        ['a', 'b', 'c'].map((id) => [id, 1n]),
      ),
    );
    await unit.commit('append', checkpoint(1));
  }
  if (seq < 2) {
    const unit = table.beginUnit();
    const changes = [
      ['b', 2n],
      ['d', 2n],
      ['b', 3n],
      ['c', 3n],
    ] as const;
    await unit.write(batchOf(orderColumns, changes));
    await unit.commit('upsert', checkpoint(2));
  }
  await table.close();
}

const [folder, stopAt, mode] = process.argv.slice(2);
if (import.meta.main && folder !== undefined) {
  await upsertToTheEnd(await openLake({ folder, world: createWorld({ stopAt }) }), mode as DeleteMode);
}
