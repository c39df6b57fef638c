/** Looks after a table in a process of its own, which dies at a stopping point. Arguments: folder, point (`name:n`). */
import { createWorld } from '../../world.ts';
import { openLake } from '../iceberg/table.test-support.ts';
import { maintain } from './maintain.test-support.ts';

export const everything = {
  compact: { targetFileBytes: 64 << 20, minInputFiles: 2 },
  expireSnapshots: { olderThanMs: -1000, keepAtLeast: 1 },
  removeOrphans: { olderThanMs: -1000 },
};

const [folder, stopAt] = process.argv.slice(2);
if (import.meta.main && folder !== undefined) {
  await maintain(await openLake({ folder, world: createWorld({ stopAt }) }), everything);
}
