import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createWorld } from '../world.ts';
import { expectArguments, type Command } from './command.ts';
import { openStoreBeside } from './store.ts';

export const backup: Command = {
  name: 'backup',
  arguments: 'FILE',
  about: 'Write the whole database into one file; the server may run meanwhile.',
  async run(args, io) {
    const [file] = expectArguments(args, ['FILE']);
    const world = createWorld();
    const config = io.readConfig();
    const store = await openStoreBeside(config, world);
    try {
      const { backup: write } = await import('../store/index.ts');
      const rows = await write(store, resolve(file!), world);
      io.out(`${sumOf(rows)} rows written to ${file}.`);
      const sql = join(config.dataDir, 'sql');
      if (existsSync(sql)) {
        io.out(`Not in it: the tables of sql.transformation. Copy ${sql} as well, while none of its runs works.`);
      }
      if (config.secretKey === null)
        io.out(`Keep ${config.dataDir}/secret.key too: it opens the secrets in the backup.`);
    } finally {
      await store.close();
    }
    return 0;
  },
};

function sumOf(rows: Readonly<Record<string, number>>): number {
  return Object.values(rows).reduce((sum, count) => sum + count, 0);
}
