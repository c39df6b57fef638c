import { resolve } from 'node:path';
import { createWorld } from '../world.ts';
import { expectArguments, type Command } from './command.ts';

export const restore: Command = {
  name: 'restore',
  arguments: 'FILE [--force]',
  about: 'Fill an empty database from a backup; --force replaces what it holds. Stop the server first.',
  async run(args, io) {
    const force = args.includes('--force');
    const [file] = expectArguments(
      args.filter((argument) => argument !== '--force'),
      ['FILE'],
    );
    const config = io.readConfig();
    const [{ openStore, restore: read }, { installQueue }] = await Promise.all([
      import('../store/index.ts'),
      import('../engine/index.ts'),
    ]);
    const store = await openStore(config, createWorld());
    try {
      await installQueue(store);
      const rows = await read(store, resolve(file!), { force });
      const total = Object.values(rows).reduce((sum, count) => sum + count, 0);
      io.out(`${total} rows restored from ${file}.`);
      if (config.secretKey === null) {
        io.out(`Put the secret.key of the backed-up server into ${config.dataDir} before you start this one.`);
      }
      io.out(
        `Tables of sql.transformation are not in a backup: put the copy of its folder sql into ${config.dataDir}.`,
      );
    } finally {
      await store.close();
    }
    return 0;
  },
};
